-- Sets an update aside at the door. ARGV: cap, at, chat, reason, detail, body.
return bury(dlq, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], 0, ARGV[7])
