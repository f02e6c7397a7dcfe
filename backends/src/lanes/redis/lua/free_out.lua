-- Helps an outbox whose first message failed. ARGV: lane, bot, remedy (retry, aside), reason, detail, chat, cap of dead
-- letters, shards that the caller takes the bot to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[9])
if moved then return moved end -- check: free-out-layout
if call('LLEN', qurgent) + call('LLEN', qout) == 0 then return { 'EMPTY' } end
if call('ZSCORE', ox, lane) then return { 'BUSY' } end -- check: free-out-held
if call('ZSCORE', opz, lane) then return { 'WAITS', call('ZSCORE', opark, bot) or '0' } end -- check: free-out-park
settle_doubt(lane)
local due = call('ZSCORE', odl, lane)
-- A wait that Telegram asked for binds also what had failed before.
local asked = due and tonumber(call('HGET', oflood, lane) or 0)
if asked and asked > now then return { 'WAITS', int(asked) } end -- check: free-out-asked
local list = call('LLEN', qurgent) > 0 and qurgent or qout
local tries = tries_of(call('LINDEX', list, 0))
if tries == 0 then -- check: free-out-flood
  return due and { 'WAITS', int(math.floor(tonumber(due) / 4096)) } or { 'FREE' } -- check: free-out-flood
end -- check: free-out-flood
if ARGV[4] == 'retry' then
  if not due then return { 'FREE' } end
  call('ZREM', odl, lane)
  call('HDEL', oflood, lane)
  queue_out(lane, bot)
  return { 'RETRIED' }
end
local id = bury(dlq, ARGV[8], int(now), ARGV[7], ARGV[5], ARGV[6], tries, call('LPOP', list))
count(ocnt, bot, -1)
call('ZREM', odl, lane)
call('HDEL', oflood, lane)
call('ZREM', oz, lane)
if call('LLEN', qurgent) + call('LLEN', qout) > 0 then queue_out(lane, bot) end -- check: free-out-ready
return { 'ASIDE', id }
