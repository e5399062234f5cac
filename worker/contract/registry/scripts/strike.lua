-- KEYS: service counts of the version
-- ARGV: ms within which strikes count together, ttl ms
-- Counts that a version ended its process or failed. Returns how often it did so within that time.
pass_memory_limit()
if now - number(KEYS[1], 'struck') > tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'struck', now, 'strikes', 0)
end
local strikes = redis.call('HINCRBY', KEYS[1], 'strikes', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return strikes
