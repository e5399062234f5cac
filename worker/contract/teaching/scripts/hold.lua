-- KEYS: keeper
-- ARGV: folder, ms; 0: no longer
-- Returns 1 if this folder is where what is taught is kept, 0 if it is another one.
local keeper = redis.call('GET', KEYS[1])
if keeper and keeper ~= ARGV[1] then return 0 end
pass_memory_limit()
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
