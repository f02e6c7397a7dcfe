-- A node says that it lives. KEYS: nodes, nodes:info. ARGV: node, beat, life in ms. Forgets who is gone; answers the
-- beats of all who live.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, 100)
for _, node in ipairs(gone) do
  redis.call('ZREM', KEYS[1], node)
  redis.call('HDEL', KEYS[2], node)
end
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. (now - ARGV[3]), '+inf')
return redis.call('HMGET', KEYS[2], unpack(live))
