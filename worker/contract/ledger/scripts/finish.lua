-- KEYS: batch, open, job, results, notifications, manifest, worker
-- ARGV: member, token, field, result, images, failed, ttl ms
-- Returns 1 stored, 0 too late: another worker holds it, has answered it or has split it, or the job has ended or expired.
local record = redis.call('HMGET', KEYS[1], 'token', 'bytes')
if record[1] ~= ARGV[2] then return 0 end
pass_memory_limit()
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
redis.call('RPUSH', KEYS[5], ARGV[3])
redis.call('HDEL', KEYS[3], 'problem')
add(KEYS[3], 'open', -1)
add(KEYS[3], 'open_bytes', -whole(record[2]))
add(KEYS[3], 'unread', 1)
local answered, failed = add(KEYS[3], 'answered', ARGV[5]), add(KEYS[3], 'failed', ARGV[6])
if redis.call('HGET', KEYS[3], 'state') == 'running' and answered == number(KEYS[3], 'images') then
  redis.call('HSET', KEYS[3], 'state', failed > 0 and 'done with errors' or 'done', 'ended', now)
end
for _, key in ipairs({KEYS[3], KEYS[4], KEYS[5], KEYS[6]}) do redis.call('PEXPIRE', key, ARGV[7]) end
if redis.call('EXISTS', KEYS[7]) == 1 then add(KEYS[7], 'images', ARGV[5]) end
return 1
