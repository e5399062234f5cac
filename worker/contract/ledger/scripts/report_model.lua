-- KEYS: worker
-- ARGV: version, fault, ttl ms
-- Records what a classifying process reports. If its main process has not reported yet, this sets the lifetime of the record.
pass_memory_limit()
redis.call('HSET', KEYS[1], 'model', ARGV[1], 'model_fault', ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
