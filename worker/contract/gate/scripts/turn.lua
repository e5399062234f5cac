-- KEYS: gate
-- ARGV: state, who, why
-- Turns the gate, also at the memory limit.
pass_memory_limit()
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'who', ARGV[2], 'reason', ARGV[3], 'since', now)
return 1
