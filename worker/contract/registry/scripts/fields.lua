-- KEYS: hash
-- ARGV: maximum size of the values together, in bytes; fields
-- Returns the values of the fields, or their size if that is too large to be fetched. It changes nothing, whatever the
-- type of the key, because a reader may not.
local size = 0
for index = 2, #ARGV do size = size + server.call('HSTRLEN', KEYS[1], ARGV[index]) end
if size > tonumber(ARGV[1]) then return size end
return server.call('HMGET', KEYS[1], unpack(ARGV, 2))
