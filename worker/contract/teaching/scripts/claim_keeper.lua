-- KEYS: keeper
-- ARGV: folder, ms, or 0 to release, ms that keepers usually ask for
-- Returns 1 if this folder keeps the taught images, 0 if another one does.
local keeper = redis.call('GET', KEYS[1])
if keeper and keeper ~= ARGV[1] and key_holds(KEYS[1], nil, math.max(ARGV[2], ARGV[3])) then return 0 end
if ARGV[2] == '0' and keeper ~= ARGV[1] then return 1 end
pass_memory_limit()
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
