-- Closes a shard to a bot that is about to be spread anew; refuses while anything of the bot waits. ARGV: bot.
if call('HGET', cnt, ARGV[2]) or call('HGET', ocnt, ARGV[2]) or call('XLEN', dlq_in) + call('XLEN', dlq_out) > 0 then return 0 end -- check: spread-drained
call('HSET', spread, ARGV[2], 0)
return 1
