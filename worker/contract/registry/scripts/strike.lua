-- KEYS: service counts of the version
-- ARGV: ms within which strikes count together, ttl ms
-- Counts that a version ended its process or failed. Returns how often it did so within that time.
pass_memory_limit()
local since, strikes = number(KEYS[1], 'struck'), number(KEYS[1], 'strikes') + 1
-- A strike in the future was counted before the clock was set back.
if since > latest or now - since > tonumber(ARGV[1]) then since, strikes = now, 1 end
redis.call('HSET', KEYS[1], 'struck', since, 'strikes', strikes)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return strikes
