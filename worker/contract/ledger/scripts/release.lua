-- KEYS: batch, open
-- ARGV: member, holder, refund (1: the attempt does not count), ms until due
-- Returns 1 given back, 0 this holder does not have it.
local record = redis.call('HMGET', KEYS[1], 'holder', 'verdict')
if record[1] ~= ARGV[2] then return 0 end
pass_memory_limit()
-- Each verdict counts its own attempts. One to quarantine counts none.
local counter = ({work = 'attempts', split = 'splits'})[record[2]]
if ARGV[3] == '1' and counter then add(KEYS[1], counter, -1) end
redis.call('HDEL', KEYS[1], 'holder', 'token')
redis.call('HSET', KEYS[1], 'lease', 0)
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
return 1
