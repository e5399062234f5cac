-- KEYS: trainers or schedulers, then for a scheduler the hash for its report
-- ARGV: name, ms until it is forgotten, then the report: field, value, …
pass_memory_limit()
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. latest, '+inf')  -- from before the clock was set back
if KEYS[2] then redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
return 1
