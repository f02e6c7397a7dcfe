-- Sets a bot's revision. ARGV: bot, epoch, revision. Answers what is set instead if that is not older.
local current = call('HGET', revs, ARGV[2])
if current and tonumber(string.match(current, '^%d+')) >= tonumber(ARGV[3]) then return current end -- check: epoch
call('HSET', revs, ARGV[2], ARGV[3] .. ':' .. ARGV[4])
return false
