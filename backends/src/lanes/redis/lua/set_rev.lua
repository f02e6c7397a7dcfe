-- Sets a bot's revision. ARGV: bot, epoch, revision, shards that the caller takes the bot to be spread over. Answers what
-- is set instead if that is not older.
local moved = elsewhere(ARGV[2], ARGV[5])
if moved then return moved end -- check: set-rev-layout
local current = call('HGET', revs, ARGV[2])
if current and tonumber(string.match(current, '^%d+')) >= tonumber(ARGV[3]) then return { 'SUPERSEDED', current } end -- check: epoch
call('HSET', revs, ARGV[2], ARGV[3] .. ':' .. ARGV[4])
return { 'SET' }
