-- KEYS: models, aliases
-- ARGV: prefix of models, 'delete' or 'check', then versions
-- Deletes all of these versions, or none, or only checks whether it may. Returns {} if it has deleted them or may, or
-- else a version that must stay, and what holds it: an alias, the id of a job after the word `job`, or a version that
-- was refined from it after the word `origin`.
local held = {}
for version, job in pairs(pinned_versions()) do held[version] = {version, 'job', job} end
local aliases = redis.call('HGETALL', KEYS[2])
for index = 1, #aliases, 2 do
  if aliases[index] ~= 'candidate' then
    local version = aliases[index + 1]
    local origin = origin_of(ARGV[1] .. version)
    if origin and not held[origin] then held[origin] = {origin, 'origin', version} end
    held[version] = {version, aliases[index]}
  end
end
for index = 3, #ARGV do
  if held[ARGV[index]] then return held[ARGV[index]] end
end
if ARGV[2] == 'check' then return {} end
for index = 3, #ARGV do
  redis.call('DEL', ARGV[1] .. ARGV[index])
  redis.call('ZREM', KEYS[1], ARGV[index])
  if redis.call('HGET', KEYS[2], 'candidate') == ARGV[index] then redis.call('HDEL', KEYS[2], 'candidate') end
end
return {}
