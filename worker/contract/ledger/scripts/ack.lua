-- KEYS: job, manifest, results
-- ARGV: sequence, then its parts
-- Deletes answers that the client has kept, which makes room in the window.
pass_memory_limit()
redis.call('HDEL', KEYS[2], ARGV[1])
local there = redis.call('EXISTS', KEYS[1]) == 1  -- a counter of a job that has expired would never expire
for index = 2, #ARGV do
  if redis.call('HDEL', KEYS[3], ARGV[index]) == 1 and there then add(KEYS[1], 'unread', -1) end
end
return 1
