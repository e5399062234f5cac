-- KEYS: job, jobs
-- ARGV: id, record, model, creator, unix ms of creation or 0 for now, ttl ms
-- Creates a job. Returns 1 created, or created by this call's first attempt; 0 another client has a job of that name.
if redis.call('HEXISTS', KEYS[1], 'record') == 1 then
  return (redis.call('HGET', KEYS[1], 'creator') or '') == ARGV[4] and 1 or 0
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'model', ARGV[3], 'creator', ARGV[4])
redis.call('HSETNX', KEYS[1], 'state', 'submitting')
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 'NX', ARGV[5] == '0' and now or ARGV[5], ARGV[1])
return 1
