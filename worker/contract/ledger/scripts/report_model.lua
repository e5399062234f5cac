-- KEYS: worker
-- ARGV: version, fault, ttl ms
-- What a classifying process says of itself. It may be first: then its words live no longer than its main process'.
pass_memory_limit()
redis.call('HSET', KEYS[1], 'model', ARGV[1], 'model_fault', ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
