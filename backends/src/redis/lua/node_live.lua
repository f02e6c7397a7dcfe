-- Who lives. KEYS: nodes, nodes:info. ARGV: life in ms. Answers beats.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. (now - ARGV[1]), '+inf')
if #live == 0 then
  return {}
end
return redis.call('HMGET', KEYS[2], unpack(live))
