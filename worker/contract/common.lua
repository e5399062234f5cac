-- `load_scripts` puts this file before every script.
-- All processes share one clock, that of Redis: unix time in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function number(key, field) return tonumber(redis.call('HGET', key, field) or 0) end

-- At its memory limit Redis refuses the commands of a script that allocate, unless the script has written before. So it
-- refuses to store a new batch, while scripts that lead to answers, and so free memory, call this first and go on.
local function pass_memory_limit() redis.call('DEL', 'digitmill:nothing') end

-- Deletes the open batches of a job, except those whose sequence number is a key of `kept`.
local function drop_open(open, job, kept)
  local prefix = job .. '/'
  for _, member in ipairs(redis.call('ZRANGE', open, 0, -1)) do
    if string.sub(member, 1, #prefix) == prefix and not kept[string.match(member, '^%d+', #prefix + 1) or ''] then
      redis.call('DEL', 'digitmill:batch:' .. member)
      redis.call('ZREM', open, member)
    end
  end
end
