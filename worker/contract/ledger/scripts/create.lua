-- KEYS: job, jobs
-- ARGV: id, record, model, creator, unix ms of creation or 0 for now, ttl ms
-- Creates a job, or puts back what Redis has lost of it.
-- Returns 1 created, or created by this client before; 0 another client has a job of that name.
if redis.call('HEXISTS', KEYS[1], 'record') == 1 then
  local creator = redis.call('HGET', KEYS[1], 'creator')
  if creator ~= ARGV[4] and (creator or redis.call('HGET', KEYS[1], 'record') ~= ARGV[2]) then return 0 end
  pass_memory_limit()
  redis.call('HSETNX', KEYS[1], 'model', ARGV[3])
else
  redis.call('HSET', KEYS[1], 'record', ARGV[2], 'model', ARGV[3], 'creator', ARGV[4])
end
redis.call('HSETNX', KEYS[1], 'state', 'submitting')
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 'NX', ARGV[5] == '0' and now or ARGV[5], ARGV[1])
return 1
