-- Stands before every script.
-- The one clock that all processes share, unix time in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function number(key, field) return tonumber(redis.call('HGET', key, field) or 0) end

-- Redis refuses a script's allocating commands at its memory limit, unless the script has written before. Submitting
-- is refused; what leads to answers, and so frees memory, goes on.
local function pass_memory_limit() redis.call('DEL', 'digitmill:nothing') end
