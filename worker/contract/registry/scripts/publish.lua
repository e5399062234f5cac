-- KEYS: model, models, aliases, fence
-- ARGV: version, SHA-256 of the card, fence token or '', versions kept, prefix of models, best version that ever was
--       live, then field, value, …
-- Returns 1 published, 0 it was there already, -1 another model has this name, -2 the fence is lost.
-- A version that was there already is stored again, which repairs a damaged one.
if ARGV[3] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[3] then return -2 end
local known = redis.call('HGET', KEYS[1], 'sha256')
if known and known ~= ARGV[2] then return -1 end

-- The largest allocation comes first: a Redis without memory refuses here, before anything has changed.
redis.call('HSET', KEYS[1], 'sha256', ARGV[2], unpack(ARGV, 7))
redis.call('HSETNX', KEYS[1], 'published', now)
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
if known then return 0 end
redis.call('HSET', KEYS[3], 'candidate', ARGV[1])
redis.call('HSETNX', KEYS[3], 'best', ARGV[6])  -- so that the following never deletes it

local named = {}
for _, version in ipairs(redis.call('HVALS', KEYS[3])) do named[version] = true end
for _, version in ipairs(redis.call('ZREVRANGE', KEYS[2], ARGV[4], -1)) do
  if not named[version] then
    redis.call('DEL', ARGV[5] .. version)
    redis.call('ZREM', KEYS[2], version)
  end
end
return 1
