-- KEYS: training, lease, seen
-- ARGV: token, state, then new fields of the training: field, value, …
-- Returns 1 recorded, 0 another trainer has it.
local record = redis.call('HMGET', KEYS[1], 'token', 'state')
if record[1] ~= ARGV[1] or record[2] ~= 'running' then return 0 end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'ended', now, unpack(ARGV, 3))
local changes = redis.call('HGET', KEYS[1], 'changes')
if changes and (ARGV[2] == 'done' or ARGV[2] == 'refused') then redis.call('SET', KEYS[3], changes) end
redis.call('DEL', KEYS[2])
return 1
