-- The end of a turn without its effects. ARGV: lane, bot, fence, most attempts, retry at, reason, detail, chat, cap of
-- dead letters.
local lane, bot = ARGV[2], ARGV[3]
if not held(lx, lane, ARGV[4]) then return { 'FENCED' } end -- check: fail-fence
local tries = tonumber(call('HGET', att, lane) or 0) + 1
call('ZREM', lx, lane) -- check: fail-place
if tries < tonumber(ARGV[5]) then
  call('HSET', att, lane, tries)
  call('ZADD', dl, stamp(tonumber(ARGV[6])), lane) -- check: fail-delay
  return { 'DELAYED' }
end
local entry = call('LPOP', qin)
local body = string.sub(entry, (string.find(entry, '\n', 1, true) or 0) + 1)
local id = bury(dlq, ARGV[10], int(now), ARGV[9], ARGV[7], ARGV[8], tries, body)
count(cnt, bot, -1)
call('HDEL', att, lane)
if call('LLEN', qin) > 0 then queue(rz, bf, vt, lane, bot) end -- check: fail-ready
return { 'DEAD', id }
