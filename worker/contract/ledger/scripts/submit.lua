-- KEYS: job, manifest, notifications, results, batch, open, sending
-- ARGV: sequence, member, payload, images, manifest, rows, rejected, window batches, window bytes, detached,
--       ms until due, attempts, ttl ms, token of the job's owner ('' for a detached job), job, ms for which a job
--       that does not send counts as sending, smallest share in batches, context of the client's trace or ''
-- Returns 1 stored, 2 already there, 0 the window is full, -1 there is no such job, or it takes no more batches,
--         -2 another client owns the job.
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'cancelled' or state == 'failed' then return -1 end
if (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[14] then return -2 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 2 end
if state ~= 'submitting' then return -1 end
local outstanding = number(KEYS[1], 'open')
if ARGV[10] == '0' then outstanding = outstanding + number(KEYS[1], 'unread') end
local bytes = number(KEYS[1], 'open_bytes')
-- Workers answer batches in the order of sending. So the jobs that send at a time share the window: otherwise a small job
-- would wait until the windows of all huge ones are answered.
redis.call('ZADD', KEYS[7], now, ARGV[15])
redis.call('PEXPIRE', KEYS[7], ARGV[16])
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', now - ARGV[16])
redis.call('ZREMRANGEBYSCORE', KEYS[7], '(' .. latest, '+inf')  -- the clock was set back
local share = math.max(math.floor(ARGV[8] / redis.call('ZCARD', KEYS[7])), math.min(ARGV[8], ARGV[17]))
if outstanding >= share then return 0 end
-- A batch that is larger than the whole window passes when nothing else is open.
if bytes > 0 and bytes + #ARGV[3] > tonumber(ARGV[9]) then return 0 end

-- The largest allocation comes first: a Redis without memory refuses here, before anything has changed.
redis.call('HSET', KEYS[5], 'payload', ARGV[3], 'bytes', #ARGV[3], 'images', ARGV[4], 'attempts', 0, 'lease', 0,
  'limit', ARGV[12], 'submitted', now)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
redis.call('ZADD', KEYS[6], now + ARGV[11], ARGV[2])
if ARGV[18] ~= '' then redis.call('HSET', KEYS[5], 'trace', ARGV[18]) end
add(KEYS[1], 'open', 1)
add(KEYS[1], 'open_bytes', #ARGV[3])
add(KEYS[1], 'batches', 1)
add(KEYS[1], 'images', ARGV[6])
add(KEYS[1], 'answered', ARGV[7])
add(KEYS[1], 'failed', ARGV[7])
redis.call('PEXPIRE', KEYS[5], ARGV[13])
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[4]}) do redis.call('PEXPIRE', key, ARGV[13]) end
return 1
