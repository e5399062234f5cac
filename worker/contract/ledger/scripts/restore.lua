-- KEYS: job, manifest, results, notifications, batch, open
-- ARGV: token, sequence, member, part, payload ('' to restore the manifest only), images, manifest, ms until due,
--       attempts, ttl ms, context of the client's trace or ''
-- Stores again what Redis has lost, whatever the window and the state of the job say.
-- Returns 1 stored, 0 the part is there, or its job has ended; -1 another client owns the job; -2 there is no such job.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return -2 end
if (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[1] then return -1 end
if state == 'cancelled' or state == 'failed' then return 0 end
local stored = 0
if ARGV[5] ~= '' and redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then
  -- As in `check`.
  if redis.call('HEXISTS', KEYS[5], 'payload') == 0 or redis.call('HEXISTS', KEYS[5], 'lease') == 0 then
    redis.call('DEL', KEYS[5])
    -- The largest allocation comes first, as in `submit`.
    redis.call('HSET', KEYS[5], 'payload', ARGV[5], 'bytes', #ARGV[5], 'images', ARGV[6], 'attempts', 0, 'lease', 0,
      'limit', ARGV[9], 'submitted', now)
    if ARGV[11] ~= '' then redis.call('HSET', KEYS[5], 'trace', ARGV[11]) end
    redis.call('ZADD', KEYS[6], now + ARGV[8], ARGV[3])
    add(KEYS[1], 'open', 1)
    add(KEYS[1], 'open_bytes', #ARGV[5])
    redis.call('PEXPIRE', KEYS[5], ARGV[10])
    stored = 1
  end
end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[7])
for index = 1, 4 do redis.call('PEXPIRE', KEYS[index], ARGV[10]) end
return stored
