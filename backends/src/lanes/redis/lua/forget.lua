-- Forgets a lane's document, and takes the lane from who works on it. ARGV: lane, bot, shards that the caller takes the bot
-- to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[4])
if moved then return moved end -- check: forget-layout
call('DEL', state) -- check: forget-document
if not call('ZSCORE', lx, lane) then return { 'DONE', 0 } end
call('ZREM', lx, lane) -- check: forget-fence
queue(rz, bf, vt, lane, bot)
return { 'DONE', 1 }
