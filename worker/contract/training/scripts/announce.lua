-- KEYS: trainers or schedulers, then the hash for its report, if it has one
-- ARGV: name, ms until it is forgotten, then its report: field, value, …
pass_memory_limit()
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if KEYS[2] then redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
return 1
