-- Forgets a lane's document, and takes the lane from who works on it. ARGV: lane, bot, shards that the caller takes the bot
-- to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[4])
if moved then return moved end -- check: forget-layout
call('DEL', state) -- check: forget-document
local token = tonumber(call('ZSCORE', lx, lane) or -1)
if token < 0 then return { 'DONE', 0 } end
-- What is remembered for longer than the lease would have lasted serves nobody: no renewal of it lies that late.
call('ZREMRANGEBYSCORE', taken, '-inf', int(now * 4096))
call('ZADD', taken, token, lane .. ' ' .. int(token % 4096)) -- check: forget-remembers
local last = tonumber(call('ZRANGE', taken, -1, -1, 'WITHSCORES')[2] or 0)
call('PEXPIRE', taken, int(math.max(1, math.ceil(last / 4096) - now) + grace))
call('ZREM', lx, lane) -- check: forget-fence
queue(rz, bf, vt, lane, bot)
return { 'DONE', 1 }
