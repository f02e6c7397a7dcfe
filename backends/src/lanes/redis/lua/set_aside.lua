-- Sets an update aside at the door. ARGV: bot, cap, at, chat, reason, detail, body, shards that the caller takes the bot
-- to be spread over.
local moved = elsewhere(ARGV[2], ARGV[9])
if moved then return moved end -- check: set-aside-layout
return { 'DONE', bury(dlq, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], 0, ARGV[8]) }
