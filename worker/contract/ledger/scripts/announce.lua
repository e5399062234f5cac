-- KEYS: worker, workers
-- ARGV: name, ms until it counts as dead, ms for which its report stays then, ms until the name is forgotten, then what
--       the worker reports: field, value, …
-- Also works at the memory limit, because a worker without a heartbeat counts as dead.
pass_memory_limit()
redis.call('HSET', KEYS[1], 'seen', now / 1000, 'alive_until', (now + ARGV[2]) / 1000, unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. latest, '+inf')  -- from before the clock was set back
return 1
