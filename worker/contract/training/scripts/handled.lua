-- KEYS: schedule
-- ARGV: unix time in seconds, what became of the firing
pass_memory_limit()
redis.call('HSET', KEYS[1], 'since', ARGV[1], 'handled', ARGV[1], 'outcome', ARGV[2])
return 1
