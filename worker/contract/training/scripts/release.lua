-- KEYS: training, lease
-- ARGV: token
-- Returns 1 given back, 0 another trainer has it.
local record = redis.call('HMGET', KEYS[1], 'token', 'state')
if record[1] ~= ARGV[1] or record[2] ~= 'running' then return 0 end
pass_memory_limit()
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], 'token')
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 then
  redis.call('HSET', KEYS[1], 'state', 'cancelled', 'ended', now)
else
  redis.call('HSET', KEYS[1], 'state', 'asked')
  add(KEYS[1], 'attempts', -1)
end
return 1
