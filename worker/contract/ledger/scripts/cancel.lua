-- KEYS: job, open, notifications
-- ARGV: job id, ttl ms
-- Drops all open batches of a job. Returns 1 cancelled, 0 it had ended already, -1 there is no such job.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return -1 end
if state ~= 'submitting' and state ~= 'running' then return 0 end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'ended', now, 'open', 0, 'open_bytes', 0)
drop_open(KEYS[2], ARGV[1], {})
redis.call('RPUSH', KEYS[3], '')  -- wake the client
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return 1
