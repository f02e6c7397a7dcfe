-- Events after a number. KEYS: ev:<project>, ev:<project>:last. ARGV: first number wanted, how many. Answers the number
-- of the newest event, that of the oldest that is kept (one more than the newest if none is), and entries.
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local first = last + 1
if oldest then
  first = tonumber(string.match(oldest[1], '^%d+'))
end
return { last, first, redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', '+', 'COUNT', ARGV[2]) }
