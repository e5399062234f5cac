-- KEYS: job
-- ARGV: what hinders the job
-- Records a problem of a job, unless its record has expired: a new one would never expire.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'problem', ARGV[1])
return 1
