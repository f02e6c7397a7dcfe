-- The end of a turn. ARGV: lane, bot, fence, revision, updates, state change (keep, touch, put, delete), its ms, the
-- document, latest moment to lease the outbox and the lane, charge, lease ms, out lease ms, updates of a turn, urgent messages, then all messages,
-- urgent ones first.
local lane, bot = ARGV[2], ARGV[3]
if not held(lx, lane, ARGV[4]) then return { 'FENCED' } end -- check: commit-fence
local active = call('HGET', revs, bot)
if ARGV[5] ~= '' and ARGV[5] ~= active then return { 'STALE', active } end -- check: commit-revision

-- Documents start with the moment at which they are forgotten, 13 digits, 0 for never.
local change, ttl = ARGV[7], tonumber(ARGV[8])
if change == 'put' and ttl < 0 then
  call('SET', state, '0000000000000' .. ARGV[9])
elseif change == 'put' and ttl > 0 then
  call('SET', state, string.format('%013.0f', now + ttl) .. ARGV[9], 'PX', ttl + grace)
elseif change == 'touch' and ttl > 0 then
  local till = call('GETRANGE', state, 0, 12)
  if till ~= '' and (tonumber(till) == 0 or tonumber(till) > now) then
    call('SETRANGE', state, 0, string.format('%013.0f', now + ttl))
    call('PEXPIRE', state, ttl + grace)
  end
elseif change ~= 'keep' then
  call('DEL', state)
end

local out, out_ready = 0, 0
local urgent, messages = tonumber(ARGV[16]), #ARGV - 16
if messages > 0 then
  local empty = call('LLEN', qurgent) + call('LLEN', qout) == 0
  for i = 1, messages do call('RPUSH', i <= urgent and qurgent or qout, ARGV[16 + i]) end
  count(ocnt, bot, messages)
  local keep = empty and heard(ARGV[10])
  if call('ZSCORE', opark, bot) then keep = false end -- check: commit-park
  if keep then
    out = lease(ox, lane, tonumber(ARGV[14]))
    if urgent > 0 then call('HSET', ogu, lane, urgent) end
  elseif empty then -- An outbox with messages has its place already.
    queue_out(lane, bot)
    out_ready = 1
  end
end

count(cnt, bot, -#call('LPOP', qin, ARGV[6]))
call('HDEL', att, lane) -- check: success-forgets-tries
local turns = tonumber(ARGV[12])
if call('LLEN', qin) == 0 then
  charge(bot, turns)
  call('ZREM', lx, lane) -- check: commit-place
  return { 'DONE', out, out_ready, 0, 0 }
end
if heard(ARGV[11]) then
  charge(bot, turns + 1)
  return { 'DONE', out, out_ready, 0, lease(lx, lane, tonumber(ARGV[13]), taken), active, call('GET', state),
    call('LRANGE', qin, 0, tonumber(ARGV[15]) - 1) }
end
charge(bot, turns)
call('ZREM', lx, lane) -- check: commit-release
queue(rz, bf, vt, lane, bot) -- check: commit-ready
return { 'DONE', out, out_ready, 1, 0 }
