-- Forgets what a shard knows of a bot apart from its lanes. ARGV: bot.
-- Its finish tags stay until nobody waits, so that it cannot jump the queue by being purged.
for _, hash in ipairs({ revs, cnt, ocnt }) do call('HDEL', hash, ARGV[2]) end
call('ZREM', opark, ARGV[2])
call('DEL', dlq_in, dlq_out)
return 1
