-- KEYS: those of its kind, and, if it has more to say, where
-- ARGV: name, ms after which it is forgotten, then what it says: field, value, …
pass_memory_limit()
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if KEYS[2] then redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
return 1
