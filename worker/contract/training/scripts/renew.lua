-- KEYS: training, lease
-- ARGV: token, lease ms, then new fields of the training: field, value, …
-- Returns 0 another trainer has it, 1 go on, 2 cancel.
local record = redis.call('HMGET', KEYS[1], 'token', 'state')
if record[1] ~= ARGV[1] or record[2] ~= 'running' then return 0 end
pass_memory_limit()
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[1], 'granted', now, unpack(ARGV, 3))
return redis.call('HEXISTS', KEYS[1], 'cancel') == 1 and 2 or 1
