-- KEYS: job, manifest, results, notifications, open, jobs
-- ARGV: job id, token, rows, rows failed, ttl ms
-- Ends a job: its client has kept every answer. The figures are those of its journal. Deletes all else of the job.
-- Returns the state in which the job has ended, 'gone' or 'fenced'.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'gone' end
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then return 'fenced' end
-- Its client creates it again, so that the list of jobs has it.
if redis.call('HEXISTS', KEYS[1], 'model') == 0 or not redis.call('ZSCORE', KEYS[6], ARGV[1]) then return 'gone' end
pass_memory_limit()
if state ~= 'cancelled' and state ~= 'failed' then
  state = tonumber(ARGV[4]) > 0 and 'done with errors' or 'done'
  redis.call('HSETNX', KEYS[1], 'ended', now)
  redis.call('HSET', KEYS[1], 'state', state, 'images', ARGV[3], 'answered', ARGV[3], 'failed', ARGV[4])
end
redis.call('HSET', KEYS[1], 'open', 0, 'open_bytes', 0, 'unread', 0, 'owner_seen', 0)
redis.call('HDEL', KEYS[1], 'problem')
redis.call('PEXPIRE', KEYS[1], ARGV[5])
for index = 2, 4 do redis.call('DEL', KEYS[index]) end  -- one by one, because a user has different rights to each
drop_open(KEYS[5], ARGV[1], {})
return state
