-- Puts a dead letter back. ARGV: lane, bot, id, entry, kind (update, urgent, message), cap, dedup ms, shards that the
-- caller takes the bot to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[9])
if moved then return moved end -- check: replay-layout
if #call('XRANGE', dlq, ARGV[4], ARGV[4]) == 0 then return { 'MISSING' } end -- check: replay-once
if ARGV[6] == 'update' then
  local waiting = call('LLEN', qin)
  if waiting >= tonumber(ARGV[7]) then return { 'FULL' } end -- check: replay-cap
  call('SET', idemp, int(now + tonumber(ARGV[8])), 'PX', tonumber(ARGV[8]) + grace)
  call('RPUSH', qin, ARGV[5])
  count(cnt, bot, 1)
  if waiting == 0 then queue(rz, bf, vt, lane, bot) end -- check: replay-ready
else
  local empty = call('LLEN', qurgent) + call('LLEN', qout) == 0
  call('RPUSH', ARGV[6] == 'urgent' and qurgent or qout, ARGV[5])
  count(ocnt, bot, 1)
  if empty then queue_out(lane, bot) end -- check: replay-out-ready
end
call('XDEL', dlq, ARGV[4])
return { 'DONE' }
