-- KEYS: batch, open, job, left batch, right batch
-- ARGV: member, token, left member, left payload, left images, right member, right payload, right images, ttl ms
-- Returns 1 split, 0 too late, or the job has expired. The halves are due at once.
local record = redis.call('HMGET', KEYS[1], 'token', 'bytes', 'submitted')
if record[1] ~= ARGV[2] then return 0 end
pass_memory_limit()
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
local trace = short(KEYS[1], 'trace')
for half = 0, 1 do
  local key, member, payload, images = KEYS[4 + half], ARGV[3 + 3 * half], ARGV[4 + 3 * half], ARGV[5 + 3 * half]
  -- One attempt tells which half is to blame. A single image gets a second one, so that an accident does not condemn it.
  redis.call('HSET', key, 'payload', payload, 'bytes', #payload, 'images', images, 'attempts', 0, 'lease', 0,
    'limit', images == '1' and 2 or 1, 'submitted', whole(record[3] or now))
  if trace ~= '' then redis.call('HSET', key, 'trace', trace) end
  redis.call('PEXPIRE', key, ARGV[9])
  redis.call('ZADD', KEYS[2], now, member)
  add(KEYS[3], 'open', 1)
  add(KEYS[3], 'open_bytes', #payload)
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
add(KEYS[3], 'open', -1)
add(KEYS[3], 'open_bytes', -whole(record[2]))
return 1
