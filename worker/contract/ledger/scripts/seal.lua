-- KEYS: job
-- Records that the client has submitted everything. Returns the state: running, or already done.
if redis.call('HGET', KEYS[1], 'state') == 'submitting' then
  pass_memory_limit()
  local state = 'running'
  if number(KEYS[1], 'answered') == number(KEYS[1], 'images') then
    state = number(KEYS[1], 'failed') > 0 and 'done with errors' or 'done'
    redis.call('HSET', KEYS[1], 'ended', now)
  end
  redis.call('HSET', KEYS[1], 'state', state)
end
return redis.call('HGET', KEYS[1], 'state')
