-- Puts an ask before all nodes. KEYS: asks, asks:info. ARGV: id, ask, life in ms. Forgets asks that ran out.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)
for _, ask in ipairs(over) do
  redis.call('ZREM', KEYS[1], ask)
  redis.call('HDEL', KEYS[2], ask)
end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  -- Microseconds since the epoch have more digits than a number is printed with.
  redis.call('HSET', KEYS[2], ARGV[1], time[1] .. string.format('%06d', time[2]) .. ' ' .. ARGV[2])
end
return redis.status_reply('OK')
