-- A node answers an ask that has not run out. KEYS: asks, asks:<id>:acks. ARGV: ask, node, answer.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = redis.call('ZSCORE', KEYS[1], ARGV[1])
if over and tonumber(over) > now then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
  redis.call('PEXPIREAT', KEYS[2], over)
end
return redis.status_reply('OK')
