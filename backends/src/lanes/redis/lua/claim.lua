-- Leases ready lanes of a shard. ARGV: most, lease ms, latest moment. Touches no key of a lane: those are read afterwards, under the
-- lease.
for _, lane in ipairs(passed(dl)) do
  call('ZREM', dl, lane) -- check: claim-due
  queue(rz, bf, vt, lane, bot_of(lane))
end
for _, lane in ipairs(passed(lx)) do
  call('ZREM', lx, lane) -- check: claim-expired
  call('HINCRBY', att, lane, 1) -- check: lost-is-a-try
  queue(rz, bf, vt, lane, bot_of(lane))
end
local most, turns = heard(ARGV[4]) and tonumber(ARGV[2]) or 0, {}
local popped = most > 0 and call('ZPOPMIN', rz, most) or {}
for i = 1, #popped, 2 do
  local lane = popped[i]
  turns[#turns + 1] = { lane, lease(lx, lane, tonumber(ARGV[3]), taken), call('HGET', att, lane) or '0',
    call('HGET', revs, bot_of(lane)) }
end
if #turns < most or most == 0 and call('ZCARD', rz) == 0 then
  -- Nobody waits: everybody starts alike next time.
  call('DEL', bf, vt)
elseif #turns > 0 then
  call('SET', vt, int(math.floor(tonumber(popped[#popped]))))
end
return { turns, call('ZCARD', rz), first_moment(dl) or -1, first_moment(lx) or -1, now }
