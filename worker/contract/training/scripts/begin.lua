-- KEYS: schedule
-- ARGV: cron, unix time in seconds
-- Returns the time after which the firings of this cron are not handled yet.
local known = redis.call('HMGET', KEYS[1], 'cron', 'since')
if known[1] == ARGV[1] and known[2] then return known[2] end
pass_memory_limit()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'cron', ARGV[1], 'since', ARGV[2])
return ARGV[2]
