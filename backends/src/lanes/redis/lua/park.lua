-- Parks a bot's outboxes until a moment, or lifts that. ARGV: bot, until ('' lifts), shards that the caller takes the bot
-- to be spread over.
local moved = elsewhere(ARGV[2], ARGV[4])
if moved then return moved end -- check: park-layout
if ARGV[3] ~= '' and tonumber(ARGV[3]) > now then
  call('ZADD', opark, ARGV[3], ARGV[2])
  return { 'PARKED' }
end
if call('ZSCORE', opark, ARGV[2]) then unpark(ARGV[2]) end
return { 'LIFTED' }
