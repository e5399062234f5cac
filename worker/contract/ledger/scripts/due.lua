-- KEYS: open
-- ARGV: ring again after ms, at most, overdue by ms
-- Returns the parts overdue by at least that much; each is due again later. Parts whose record has expired are dropped.
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
