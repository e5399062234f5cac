-- `load_scripts` puts this file before every script.

-- What lies under a key of ours and has another type was written by somebody else, and what was there before is lost.
-- So the first command that meets it deletes it, and the script goes on as after a loss. Otherwise each script that
-- needs the key would fail, perhaps in its middle. Every other error is raised as usual.
local server = redis
local redis = {}
function redis.call(...)
  local reply = server.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then server.call('DEL', (select(2, ...))) end
  return server.call(...)
end

-- All processes share one clock, that of Redis: unix time in ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- That clock may be set back. Whatever says that it happened later than this was written before that.
local latest = now + 1000

-- Returns a number of a record as an integer, and 0 for anything else, because somebody else may have written it.
local function whole(text)
  local value = tonumber(text or 0) or 0
  if value ~= value or math.abs(value) > 1e15 then return 0 end
  return math.floor(value)
end

local function number(key, field) return whole(redis.call('HGET', key, field)) end

-- Adds to a counter of a record that exists, and returns the sum. What is not a number counts as 0.
local function add(key, field, by)
  local sum = server.pcall('HINCRBY', key, field, by)
  if type(sum) == 'number' then return sum end
  redis.call('HSET', key, field, by)
  return tonumber(by)
end

-- Returns a short text of a record. Nobody fetches a longer one, which somebody else has written.
local function short(key, field)
  if redis.call('HSTRLEN', key, field) > 100 then return '' end
  return redis.call('HGET', key, field) or ''
end

-- Returns whether a lease holds. It does not if it was granted in the future: then the clock was set back, and the lease
-- would hold much longer than it was meant to. Versions up to 0.2 did not record when they granted a lease.
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

-- Returns whether an administrator has paused the queue. It changes nothing, because the caller may only read the gate.
local function is_paused(gate) return server.pcall('HGET', gate, 'state') == 'paused' end

-- At its memory limit Redis refuses the commands of a script that allocate, unless the script has written before. So it
-- refuses to store a new batch, while scripts that lead to answers, and so free memory, call this first and go on.
local function pass_memory_limit() redis.call('DEL', 'digitmill:nothing') end

-- Returns each version that a job which has not ended is classified with, and the id of one such job. It changes nothing,
-- whatever the type of the keys, because the caller may only read them.
local function pinned_versions()
  local pinned = {}
  local known = server.pcall('ZRANGE', 'digitmill:jobs', 0, -1)
  for _, job in ipairs(known.err and {} or known) do
    local record = server.pcall('HMGET', 'digitmill:job:' .. job, 'state', 'model')
    if record[2] and (record[1] == 'submitting' or record[1] == 'running') then pinned[record[2]] = job end
  end
  return pinned
end

-- Takes the key of a version. Returns the version that it was refined from, or nil if it was not refined or has gone.
local function origin_of(model)
  local origin = server.pcall('HGET', model, 'origin')
  return type(origin) == 'string' and origin or nil
end

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
