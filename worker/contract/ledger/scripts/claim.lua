-- KEYS: batch, open, job, gate
-- ARGV: member, token, holder, lease ms, images, maximum size of a payload, maximum number of attempts, and of attempts to
--       split, size from which the caller fetches a payload itself
-- Returns {'gone'}, {'busy'}, {'paused'}, or {'work' | 'split' | 'quarantine' | 'oversized', payload, attempts, model,
-- ms since it was submitted or -1, context of the client's trace or ''}. Instead of a large payload there is nothing,
-- because Lua would copy it several times.
local record = redis.call('HMGET', KEYS[1], 'lease', 'token', 'attempts', 'limit', 'granted', 'verdict', 'splits',
  'submitted')
if not record[1] then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {'gone'}
end
local mine = record[2] == ARGV[2]  -- the worker repeats its claim, because the reply was lost
if not mine and holds(record[1], record[5]) then return {'busy'} end
if not mine and is_paused(KEYS[4]) then return {'paused'} end

local verdict, attempts, splits = record[6], math.max(whole(record[3]), 0), math.max(whole(record[7]), 0)
if not mine then
  if redis.call('HSTRLEN', KEYS[1], 'payload') > tonumber(ARGV[6]) then
    verdict = 'oversized'
  elseif attempts < math.min(whole(record[4]), ARGV[7]) then
    verdict, attempts = 'work', attempts + 1
  elseif tonumber(ARGV[5]) > 1 and splits < tonumber(ARGV[8]) then
    verdict, splits = 'split', splits + 1
  else
    verdict = 'quarantine'
  end
end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'attempts', attempts, 'splits', splits, 'lease', now + ARGV[4], 'granted', now,
  'token', ARGV[2], 'holder', ARGV[3], 'verdict', verdict)
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
-- Whoever answers a batch without looking at its images does not fetch them, because fetching may be what killed it.
local payload = ''
if verdict == 'work' or verdict == 'split' then
  payload = redis.call('HSTRLEN', KEYS[1], 'payload') < tonumber(ARGV[9]) and (redis.call('HGET', KEYS[1], 'payload') or '')
end
local waited = -1
if record[8] then waited = math.max(now - whole(record[8]), 0) end
return {verdict, payload, attempts, short(KEYS[3], 'model'), waited, short(KEYS[1], 'trace')}
