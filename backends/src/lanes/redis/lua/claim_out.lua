-- Leases outboxes of a shard. ARGV: most, lease ms, latest moment.
for _, bot in ipairs(call('ZRANGEBYSCORE', opark, '-inf', int(now), 'LIMIT', 0, 64)) do unpark(bot) end
for _, lane in ipairs(passed(odl)) do
  call('ZREM', odl, lane) -- check: claim-out-due
  call('HDEL', oflood, lane)
  queue_out(lane, bot_of(lane))
end
for _, lane in ipairs(passed(ox)) do
  call('ZREM', ox, lane) -- check: claim-out-expired
  -- What its sender was about to send is marked by whoever reads the outbox next: the lists are not among the keys.
  call('HSETNX', odoubt, lane, call('HGET', ogu, lane) and 'u' or 'n') -- check: doubt
  call('HDEL', ogu, lane)
  queue_out(lane, bot_of(lane))
end
local most, turns = heard(ARGV[4]) and tonumber(ARGV[2]) or 0, {}
for _ = 1, most + 1000 do
  if #turns >= most then break end
  local popped = call('ZPOPMIN', oz)
  local lane = popped[1]
  if not lane then
    call('DEL', obf, ovt)
    break
  end
  call('SET', ovt, int(math.floor(tonumber(popped[2]))))
  if call('ZSCORE', opark, bot_of(lane)) then -- check: claim-out-park
    call('ZADD', opz, 0, lane) -- check: claim-out-park
  else -- check: claim-out-park
    turns[#turns + 1] = { lane, lease(ox, lane, tonumber(ARGV[3])) }
  end -- check: claim-out-park
end
if most == 0 and call('ZCARD', oz) == 0 then call('DEL', obf, ovt) end
local park = call('ZRANGE', opark, 0, 0, 'WITHSCORES')
return { turns, call('ZCARD', oz), first_moment(odl) or -1, first_moment(ox) or -1, tonumber(park[2] or -1), now }
