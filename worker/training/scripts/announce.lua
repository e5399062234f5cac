-- KEYS: trainers
-- ARGV: name, ms after which it is forgotten
pass_memory_limit()
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return 1
