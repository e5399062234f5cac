-- KEYS: days of the version
-- ARGV: number of days to read; names of the counts
-- Returns today, by Redis' clock, and for each day until today, oldest first, the counts, or '' for one that is missing
-- or too long to be a number. It changes nothing, because a reader may not.
local today, days = math.floor(now / 86400000), tonumber(ARGV[1])
local found = {today}
for day = today - days + 1, today do
  for index = 2, #ARGV do
    local field = day .. ':' .. ARGV[index]
    local length = server.call('HSTRLEN', KEYS[1], field)
    found[#found + 1] = length > 0 and length <= 20 and server.call('HGET', KEYS[1], field) or ''
  end
end
return found
