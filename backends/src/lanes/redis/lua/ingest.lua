-- An update at the door. ARGV: lane, bot, entry, cap, latest moment to lease the lane, lease ms, dedup ms, bit ('' for a key per update),
-- shards that the caller takes the bot to be spread over.
local lane, bot, bit = ARGV[2], ARGV[3], ARGV[9]
local moved = elsewhere(bot, ARGV[10])
if moved then return moved end -- check: ingest-layout
local known
if bit == '' then
  local till = call('GET', idemp)
  known = till and tonumber(till) > now
else
  known = call('GETBIT', idemp, bit) == 1
end
local waiting = call('LLEN', qin)
if waiting >= tonumber(ARGV[5]) then return known and { 'DUP' } or { 'FULL' } end -- check: cap
if known then return { 'DUP' } end -- check: dedup
local keep = tonumber(ARGV[8])
if bit == '' then
  call('SET', idemp, int(now + keep), 'PX', keep + grace) -- check: remember
else
  call('SETBIT', idemp, bit, 1)
  call('PEXPIRE', idemp, keep + grace)
end
call('RPUSH', qin, ARGV[4])
count(cnt, bot, 1)
-- A lane with updates has its place already; only the first one gives it one.
if waiting > 0 then return { 'QUEUED' } end -- check: ingest-place
if heard(ARGV[6]) then
  charge(bot, 1)
  return { 'GRANTED', lease(lx, lane, tonumber(ARGV[7]), taken), call('HGET', revs, bot), call('GET', state) }
end
queue(rz, bf, vt, lane, bot)
return { 'READY', math.max(1, tonumber(call('HGET', bf, bot)) - tonumber(call('GET', vt) or 0)) }
