-- KEYS: inbox, taught, changes
-- ARGV: for each image: SHA-256, the settled record or '', the record of the image as kept now or ''
-- A record that was replaced meanwhile stays in the inbox.
pass_memory_limit()
local changes = 0
for i = 1, #ARGV, 3 do
  local sha256, settled, kept = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local known = redis.call('HGET', KEYS[2], sha256)
  if kept == '' then
    changes = changes + redis.call('HDEL', KEYS[2], sha256)
  elseif not known or known:sub(1, 1) ~= kept:sub(1, 1) then
    redis.call('HSET', KEYS[2], sha256, kept)
    changes = changes + 1
  end
  if settled ~= '' and redis.call('HGET', KEYS[1], sha256) == settled then redis.call('HDEL', KEYS[1], sha256) end
end
if changes > 0 then
  redis.call('SET', KEYS[3], string.format('%.0f', whole(redis.call('GET', KEYS[3])) + changes))
end
return 1
