-- KEYS: batch, open
-- ARGV: member, holder, lease ms
-- Returns 1 renewed, 0 this holder does not have it.
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then return 0 end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'lease', now + ARGV[3], 'granted', now)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
return 1
