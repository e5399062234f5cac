-- KEYS: batch, open, job, results, notifications, manifest, worker
-- ARGV: member, token, field, result, failed, ttl ms
-- Returns 1 stored, 0 too late: another worker holds it, has answered it or has split it, or the job has ended.
local record = redis.call('HMGET', KEYS[1], 'token', 'images', 'bytes')
if record[1] ~= ARGV[2] then return 0 end
pass_memory_limit()
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('RPUSH', KEYS[5], ARGV[3])
redis.call('HDEL', KEYS[3], 'problem')
redis.call('HINCRBY', KEYS[3], 'open', -1)
redis.call('HINCRBY', KEYS[3], 'open_bytes', -record[3])
redis.call('HINCRBY', KEYS[3], 'unread', 1)
local answered = redis.call('HINCRBY', KEYS[3], 'answered', record[2])
redis.call('HINCRBY', KEYS[3], 'failed', ARGV[5])
if redis.call('HGET', KEYS[3], 'state') == 'running' and answered == number(KEYS[3], 'images') then
  redis.call('HSET', KEYS[3], 'state', number(KEYS[3], 'failed') > 0 and 'done with errors' or 'done', 'ended', now)
end
for _, key in ipairs({KEYS[3], KEYS[4], KEYS[5], KEYS[6]}) do redis.call('PEXPIRE', key, ARGV[6]) end
if redis.call('EXISTS', KEYS[7]) == 1 then redis.call('HINCRBY', KEYS[7], 'images', record[2]) end
return 1
