-- KEYS: current, lease
-- ARGV: prefix of trainings
-- Returns the id of the training that it cancels, or nothing if none is open.
local id = redis.call('GET', KEYS[1])
if not id then return false end
local training = ARGV[1] .. id
local record = redis.call('HMGET', training, 'state', 'granted')
if record[1] ~= 'asked' and record[1] ~= 'running' then return false end
pass_memory_limit()
if key_holds(KEYS[2], record[2]) then
  redis.call('HSET', training, 'cancel', 1)
else
  redis.call('HSET', training, 'state', 'cancelled', 'ended', now)
end
return id
