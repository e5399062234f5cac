-- KEYS: days of the version
-- ARGV: number of days to keep; then name and number of each count
-- Adds to the counts of today, by Redis' clock. Drops what is too old, or of a day that has not come yet.
local today, kept = math.floor(now / 86400000), tonumber(ARGV[1])
pass_memory_limit()
local is_new = redis.call('HEXISTS', KEYS[1], today .. ':images') == 0
for index = 2, #ARGV, 2 do add(KEYS[1], today .. ':' .. ARGV[index], ARGV[index + 1]) end
if is_new then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local day = tonumber(string.match(field, '^(%d+):'))
    if not day or day > today or day <= today - kept then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('PEXPIRE', KEYS[1], kept * 86400000)
