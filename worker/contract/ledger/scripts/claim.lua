-- KEYS: batch, open, job
-- ARGV: member, token, holder, lease ms
-- Returns {'gone'}, {'busy'}, or {'work' | 'split' | 'quarantine', payload, attempts, model}.
local record = redis.call('HMGET', KEYS[1], 'lease', 'token', 'attempts', 'limit', 'images', 'verdict')
if not record[1] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {'gone'}
end
local mine = record[2] == ARGV[2]  -- the worker repeats its claim, because the reply was lost
if tonumber(record[1]) > now and not mine then return {'busy'} end

local verdict, attempts = record[6], tonumber(record[3])
if not mine then
  if attempts < tonumber(record[4]) then
    verdict, attempts = 'work', attempts + 1
  else
    verdict = tonumber(record[5]) > 1 and 'split' or 'quarantine'
  end
end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'attempts', attempts, 'lease', now + ARGV[4], 'token', ARGV[2], 'holder', ARGV[3],
  'verdict', verdict)
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
return {verdict, redis.call('HGET', KEYS[1], 'payload'), attempts, redis.call('HGET', KEYS[3], 'model')}
