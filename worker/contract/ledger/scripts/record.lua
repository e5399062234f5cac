-- KEYS: hash
-- ARGV: maximum number of its fields, and maximum size of their names and values together, in bytes
-- Returns the hash, or 0 if it is too large to be fetched. It changes nothing, whatever the type of the key, because a
-- reader may not.
if server.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then return 0 end
local size = 0
for _, field in ipairs(server.call('HKEYS', KEYS[1])) do
  size = size + #field + server.call('HSTRLEN', KEYS[1], field)
end
if size > tonumber(ARGV[2]) then return 0 end
return server.call('HGETALL', KEYS[1])
