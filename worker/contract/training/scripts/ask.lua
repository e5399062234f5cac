-- KEYS: current, trainings, training
-- ARGV: id, prefix of trainings, options as JSON, who, trainings kept
-- Returns the id of the open training: the new one, unless an earlier one has not ended.
-- An id that was used before changes nothing.
if redis.call('EXISTS', KEYS[3]) == 1 then return ARGV[1] end
local current = redis.call('GET', KEYS[1])
if current then
  local state = redis.call('HGET', ARGV[2] .. current, 'state')
  if state == 'asked' or state == 'running' then return current end
end
redis.call('HSET', KEYS[3], 'state', 'asked', 'order', ARGV[3], 'who', ARGV[4], 'asked', now, 'attempts', 0)
redis.call('SET', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
for _, old in ipairs(redis.call('ZREVRANGE', KEYS[2], ARGV[5], -1)) do
  redis.call('DEL', ARGV[2] .. old)
  redis.call('ZREM', KEYS[2], old)
end
return ARGV[1]
