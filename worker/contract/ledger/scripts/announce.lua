-- KEYS: worker, workers
-- ARGV: name, ttl ms, forget ms, then what is true of it: field, value, …
-- At the memory limit too: a worker that is not heard of counts as none.
pass_memory_limit()
redis.call('HSET', KEYS[1], 'seen', now / 1000, unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
return 1
