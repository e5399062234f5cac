-- KEYS: inbox, taught, changes, held back
-- ARGV: for each image: SHA-256, the settled record or '', the record of the image as kept now or '', '1' if it is held
--       back or ''
-- A record that was replaced meanwhile stays in the inbox. An image that is held back changes nothing for a training.
pass_memory_limit()
local changes = 0
for i = 1, #ARGV, 4 do
  local sha256, settled, kept, held = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] ~= ''
  if held then redis.call('HSET', KEYS[4], sha256, kept) else redis.call('HDEL', KEYS[4], sha256) end
  local known = redis.call('HGET', KEYS[2], sha256)
  if held then
    redis.call('HDEL', KEYS[2], sha256)
  elseif kept == '' then
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
