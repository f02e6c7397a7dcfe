-- Appends an event. KEYS: ev:<project>, ev:<project>:last. ARGV: bot, at, event, events that always stay, events before
-- this time may go, life of a silent log in ms. Answers the event's number.
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], n .. '-0', 'bot', ARGV[1], 'at', ARGV[2], 'event', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
-- At each append it would cost more than the append.
if n % 64 == 0 then
  local first
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 256)) do
    first = entry[1]
    local number = tonumber(string.match(first, '^%d+'))
    if number > n - ARGV[4] or tonumber(entry[2][4]) >= tonumber(ARGV[5]) then
      break
    end
  end
  redis.call('XTRIM', KEYS[1], 'MINID', first)
end
return n
