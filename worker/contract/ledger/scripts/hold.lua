-- KEYS: job
-- ARGV: token ('' for the sender of a detached job), host, folder, leaves (0 | 1)
-- Records that a job's client is alive, or that it leaves. Returns 1 recorded, 0 there is no such job, -1 another owns it.
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 0 end
if (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[1] then return -1 end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'owner_host', ARGV[2], 'owner_folder', ARGV[3], 'owner_seen', ARGV[4] == '1' and 0 or now)
return 1
