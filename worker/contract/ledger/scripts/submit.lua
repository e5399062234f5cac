-- KEYS: job, manifest, notifications, results, batch, open, sending
-- ARGV: sequence, member, payload or '', images, manifest, rows, rejected, window batches, window bytes, detached,
--       ms until due, attempts, ttl ms, token of the job's owner ('' for a detached job), job, ms for which a job
--       that does not send counts as sending, smallest share in batches, context of the client's trace or '', size of
--       the payload, how it comes: 'here', 'beside' or 'later', list of doorbells, doorbell or ''
-- A large payload comes beside the script, in the command before it in one transaction, which stores it in the record
-- unless one is there: Lua would copy it several times. With 'later', the caller only asks whether there is room.
-- Returns 1 stored, 2 already there, 0 the window is full, -1 there is no such job, or it takes no more batches,
--         -2 another client owns the job, 3 there is room, 4 there is another record of this batch: send it here,
--         5 stored, but the doorbell could not be rung. The list of doorbells is not a key of this script, because a user may
--         do nothing with it but ring.
local size, beside = tonumber(ARGV[19]), ARGV[20] == 'beside'

-- Returns a code, and drops what came beside. A record with a lease was there before, and is left as it is.
local function refuse(code)
  if beside and redis.call('HEXISTS', KEYS[5], 'lease') == 0 then redis.call('DEL', KEYS[5]) end
  return code
end

local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'cancelled' or state == 'failed' then return refuse(-1) end
if (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[14] then return refuse(-2) end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return refuse(2) end
if state ~= 'submitting' then return refuse(-1) end
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
if outstanding >= share then return refuse(0) end
-- A batch that is larger than the whole window passes when nothing else is open.
if bytes > 0 and bytes + size > tonumber(ARGV[9]) then return refuse(0) end
if ARGV[20] == 'later' then return 3 end

-- The largest allocation comes first: a Redis without memory refuses here, before anything has changed.
if not beside then
  redis.call('HSET', KEYS[5], 'payload', ARGV[3])
elseif redis.call('HEXISTS', KEYS[5], 'lease') == 1 or redis.call('HSTRLEN', KEYS[5], 'payload') ~= size then
  return refuse(4)
end
redis.call('HSET', KEYS[5], 'bytes', size, 'images', ARGV[4], 'attempts', 0, 'lease', 0, 'limit', ARGV[12], 'submitted',
  now)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
redis.call('ZADD', KEYS[6], now + ARGV[11], ARGV[2])
if ARGV[18] ~= '' then redis.call('HSET', KEYS[5], 'trace', ARGV[18]) end
add(KEYS[1], 'open', 1)
add(KEYS[1], 'open_bytes', size)
add(KEYS[1], 'batches', 1)
add(KEYS[1], 'images', ARGV[6])
add(KEYS[1], 'answered', ARGV[7])
add(KEYS[1], 'failed', ARGV[7])
redis.call('PEXPIRE', KEYS[5], ARGV[13])
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[4]}) do redis.call('PEXPIRE', key, ARGV[13]) end
if ARGV[22] ~= '' and type(server.pcall('LPUSH', ARGV[21], ARGV[22])) ~= 'number' then return 5 end
return 1
