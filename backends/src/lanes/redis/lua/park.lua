-- Parks a bot's outboxes until a moment, or lifts that. ARGV: bot, until ('' lifts).
if ARGV[3] ~= '' and tonumber(ARGV[3]) > now then
  call('ZADD', opark, ARGV[3], ARGV[2])
  return 0
end
if call('ZSCORE', opark, ARGV[2]) then unpark(ARGV[2]) end
return 1
