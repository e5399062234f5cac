-- KEYS: model, models, aliases, fence
-- ARGV: version, SHA-256 of the card, fence token or '', versions kept or '' to drop none and move no alias, ms that a version is kept or '' for ever, prefix of
--       models, best version that ever was live, then field, value, …
-- Returns 1 published, 0 it was there already, -1 another model has this name, -2 the fence is lost.
-- A version that was there already is stored again, which repairs a damaged one.
if ARGV[3] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[3] then return -2 end
local known = redis.call('HGET', KEYS[1], 'sha256')
if known and known ~= ARGV[2] then return -1 end

-- The largest allocation comes first: a Redis without memory refuses here, before anything has changed.
redis.call('HSET', KEYS[1], 'sha256', ARGV[2], unpack(ARGV, 8))
redis.call('HSETNX', KEYS[1], 'published', now)
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
if known then return 0 end
if ARGV[4] == '' then return 1 end
redis.call('HSET', KEYS[3], 'candidate', ARGV[1])
redis.call('HSETNX', KEYS[3], 'best', ARGV[7])  -- so that the following never deletes it

local surplus = {}
for _, version in ipairs(redis.call('ZREVRANGE', KEYS[2], ARGV[4], -1)) do surplus[version] = true end
if ARGV[5] ~= '' then
  for _, version in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. now - ARGV[5])) do
    surplus[version] = true
  end
end
for _, version in ipairs(redis.call('HVALS', KEYS[3])) do
  surplus[version] = nil
  local origin = origin_of(ARGV[6] .. version)
  if origin then surplus[origin] = nil end
end
if next(surplus) then
  for version in pairs(pinned_versions()) do surplus[version] = nil end
end
for version in pairs(surplus) do
  redis.call('DEL', ARGV[6] .. version)
  redis.call('ZREM', KEYS[2], version)
end
return 1
