-- KEYS: open
-- ARGV: ms until due again, maximum number of parts, ms by which they must be overdue
-- Returns overdue parts, and makes each due again later. Drops parts with an expired record.
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, ARGV[2])
local due = {}
pass_memory_limit()
for _, member in ipairs(members) do
  if redis.call('EXISTS', 'digitmill:batch:' .. member) == 1 then
    redis.call('ZADD', KEYS[1], now + ARGV[1], member)
    due[#due + 1] = member
  else
    redis.call('ZREM', KEYS[1], member)
  end
end
return due
