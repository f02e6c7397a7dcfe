-- Helps a lane whose first update failed. ARGV: lane, bot, remedy (retry, aside), reason, detail, chat, cap of dead
-- letters, shards that the caller takes the bot to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[9])
if moved then return moved end -- check: free-layout
if call('LLEN', qin) == 0 then return { 'EMPTY' } end
if call('ZSCORE', lx, lane) then return { 'BUSY' } end -- check: free-held
local tries = tonumber(call('HGET', att, lane) or 0)
if tries == 0 then return { 'FREE' } end -- check: free-failed
if ARGV[4] == 'retry' then
  if not call('ZSCORE', dl, lane) then return { 'FREE' } end -- check: free-due
  call('ZREM', dl, lane)
  queue(rz, bf, vt, lane, bot)
  return { 'RETRIED' }
end
local entry = call('LPOP', qin)
local body = string.sub(entry, (string.find(entry, '\n', 1, true) or 0) + 1)
local id = bury(dlq, ARGV[8], int(now), ARGV[7], ARGV[5], ARGV[6], tries, body)
count(cnt, bot, -1)
call('HDEL', att, lane) -- check: free-forgets-tries
call('ZREM', dl, lane)
call('ZREM', rz, lane)
if call('LLEN', qin) > 0 then queue(rz, bf, vt, lane, bot) end -- check: free-ready
return { 'ASIDE', id }
