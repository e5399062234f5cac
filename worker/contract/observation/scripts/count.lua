-- KEYS: recent
-- ARGV: ms of a span, number of spans to keep; then name and number of each count
-- Adds to the counts of the span that this is. Drops what is too old, or of a span that has not come yet.
local span, kept = math.floor(now / ARGV[1]), tonumber(ARGV[2])
pass_memory_limit()
local is_new = redis.call('HEXISTS', KEYS[1], span .. ':images') == 0
for index = 3, #ARGV, 2 do add(KEYS[1], span .. ':' .. ARGV[index], ARGV[index + 1]) end
if is_new then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local counted = tonumber(string.match(field, '^(%d+):'))
    if not counted or counted > span or counted <= span - kept then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('PEXPIRE', KEYS[1], kept * ARGV[1])
