-- KEYS: models, aliases
-- ARGV: prefix of models, 'delete' or 'check', then versions
-- Deletes all of these versions, or none, or only checks whether it may. Returns {} if it has deleted them or may, or
-- else a version that must stay, and what holds it: an alias, or the id of a job after the word `job`.
local held = {}
for version, job in pairs(pinned_versions()) do held[version] = {version, 'job', job} end
local aliases = redis.call('HGETALL', KEYS[2])
for index = 1, #aliases, 2 do
  if aliases[index] ~= 'candidate' then held[aliases[index + 1]] = {aliases[index + 1], aliases[index]} end
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
