-- KEYS: job, manifest, results
-- ARGV: token of the job's owner, sequence, then its parts
-- Deletes answers that the client has kept, which makes room in the window. Returns 1, or 0 if another client owns the job.
if (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[1] then return 0 end
pass_memory_limit()
redis.call('HDEL', KEYS[2], ARGV[2])
local there = redis.call('EXISTS', KEYS[1]) == 1  -- a counter of a job that has expired would never expire
for index = 3, #ARGV do
  if redis.call('HDEL', KEYS[3], ARGV[index]) == 1 and there then add(KEYS[1], 'unread', -1) end
end
return 1
