-- `load_scripts` puts this file before every script, and before this file the table `TYPES`: key, or prefix of keys →
-- type.
-- All processes share one clock, that of Redis: unix time in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- That clock may be set back. Whatever says that it happened later than this was written before that.
local latest = now + 1000

-- What lies under a key of ours and has another type was written by somebody else, and what was there before is lost.
-- So this deletes it, and the script goes on as after a loss. Otherwise every script that needs the key would fail.
local function expect(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
for _, key in ipairs(KEYS) do
  local kind = TYPES[key] or TYPES[string.match(key, '^digitmill:[^:]*:') or '']
  if kind then expect(key, kind) end
end

-- Returns a number of a record as an integer, and 0 for anything else, because somebody else may have written it.
local function whole(text)
  local value = tonumber(text or 0) or 0
  if value ~= value or math.abs(value) > 1e15 then return 0 end
  return math.floor(value)
end

local function number(key, field) return whole(redis.call('HGET', key, field)) end

-- Adds to a counter of a record, and returns the sum. This never makes a record, because it would never expire.
local function add(key, field, by)
  if redis.call('EXISTS', key) == 0 then return 0 end
  local sum = number(key, field) + by
  redis.call('HSET', key, field, string.format('%.0f', sum))
  return sum
end

-- Returns whether a lease holds. It does not if it was granted in the future: then the clock was set back, and the lease
-- would hold much longer than it was meant to. Version 0.1.0 did not record when it granted a lease.
local function holds(ends, granted)
  ends, granted = tonumber(ends), tonumber(granted)
  if not ends or not (ends > now) then return false end
  if granted then return granted <= latest and ends <= now + 1e9 end
  return ends <= now + 3600000
end

-- Returns whether a lease holds that is a key with an expiry. A key without one was written by somebody else.
-- `longest` is the longest lease, in ms, if its record does not say when it was granted.
local function key_holds(key, granted, longest)
  local left = redis.call('PTTL', key)
  if longest and left > longest + 1000 then return false end
  return left > 0 and holds(now + left, granted)
end

-- At its memory limit Redis refuses the commands of a script that allocate, unless the script has written before. So it
-- refuses to store a new batch, while scripts that lead to answers, and so free memory, call this first and go on.
local function pass_memory_limit() redis.call('DEL', 'digitmill:nothing') end
