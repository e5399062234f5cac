-- KEYS: current, lease, token
-- ARGV: prefix of trainings, holder, lease ms, attempts
-- Returns {id, token, options as JSON, attempt}, or nothing if there is nothing to do.
local id = redis.call('GET', KEYS[1])
if not id then return false end
local training = ARGV[1] .. id
local record = redis.call('HMGET', training, 'state', 'granted')
if record[1] ~= 'asked' and record[1] ~= 'running' then return false end
if key_holds(KEYS[2], record[2]) then return false end

pass_memory_limit()
if redis.call('HEXISTS', training, 'cancel') == 1 then  -- its trainer died before it knew of that
  redis.call('HSET', training, 'state', 'cancelled', 'ended', now)
  return false
end
local attempts = number(training, 'attempts')
if attempts >= tonumber(ARGV[4]) then
  local why = redis.call('HGET', training, 'reason') or 'The trainer\'s log may say why.'
  redis.call('HSET', training, 'state', 'failed', 'ended', now, 'reason',
    'Its trainer died ' .. attempts .. ' times. ' .. why .. ' Ask for another training.')
  return false
end
local token = string.format('%.0f', whole(redis.call('GET', KEYS[3])) + 1)
redis.call('SET', KEYS[3], token)
redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
redis.call('HSET', training, 'state', 'running', 'attempts', attempts + 1, 'holder', ARGV[2], 'token', token,
  'granted', now, 'stage', 'starting')
redis.call('HDEL', training, 'reason')  -- why the last attempt ended
redis.call('HSETNX', training, 'begun', now)
return {id, token, redis.call('HGET', training, 'order'), attempts + 1}
