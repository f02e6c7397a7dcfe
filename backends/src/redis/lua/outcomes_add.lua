-- Adds what a node counted for a bot. KEYS: outcomes:<bot>. ARGV: epoch, ok, failed, life in ms. Keeps the newest epoch
-- and the one before it.
local epoch = tonumber(ARGV[1])
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest') or '0')
if epoch + 1 < newest then
  return 0
end
if epoch > newest then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local of = tonumber(string.match(field, '^(%d+):'))
    if of and of + 1 < epoch then
      redis.call('HDEL', KEYS[1], field)
    end
  end
  redis.call('HSET', KEYS[1], 'newest', ARGV[1])
end
redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':ok', ARGV[2])
redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':failed', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
