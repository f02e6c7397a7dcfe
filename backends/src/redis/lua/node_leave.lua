-- A node goes. KEYS: nodes, nodes:info. ARGV: node.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.status_reply('OK')
