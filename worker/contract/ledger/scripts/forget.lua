-- KEYS: job, manifest, results, notifications, open, jobs
-- ARGV: job id
-- Deletes all that Redis keeps of a job that has ended. Returns 1, or 0 if the job has not ended.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'submitting' or state == 'running' then return 0 end
pass_memory_limit()
for index = 1, 4 do redis.call('DEL', KEYS[index]) end  -- one by one, because a user has different rights to each
drop_open(KEYS[5], ARGV[1], {})
redis.call('ZREM', KEYS[6], ARGV[1])
return 1
