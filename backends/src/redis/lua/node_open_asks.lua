-- Asks that have not run out. KEYS: asks, asks:info. Answers pairs of id and 'microseconds ask'.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local open = {}
for _, ask in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  open[#open + 1] = { ask, redis.call('HGET', KEYS[2], ask) }
end
return open
