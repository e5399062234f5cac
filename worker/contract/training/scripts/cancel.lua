-- KEYS: current, lease
-- ARGV: prefix of trainings
-- Returns the id of the training that it cancels, or nothing if none is open.
local id = redis.call('GET', KEYS[1])
if not id then return false end
local training = ARGV[1] .. id
local state = redis.call('HGET', training, 'state')
if state ~= 'asked' and state ~= 'running' then return false end
pass_memory_limit()
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', training, 'cancel', 1)
else
  redis.call('HSET', training, 'state', 'cancelled', 'ended', now)
end
return id
