-- KEYS: open, gate
-- ARGV: ms until due again, maximum number of parts, ms by which they must be overdue
-- Returns overdue parts, and makes each due again later. Drops what has no record: it has expired, or never was a part.
if is_paused(KEYS[2]) then return {} end
local again, at_most = tonumber(ARGV[1]), tonumber(ARGV[2])
pass_memory_limit()

local function lease_of(member)
  local lease = redis.call('HMGET', 'digitmill:batch:' .. member, 'lease', 'granted')
  if lease[1] then return lease end
  redis.call('ZREM', KEYS[1], member)
end

local due = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, at_most)) do
  if lease_of(member) then
    redis.call('ZADD', KEYS[1], now + again, member)
    due[#due + 1] = member
  end
end

-- A part that is due later than anybody makes one due is under a lease, or the clock was set back. Then it is due soon,
-- and not at once, because a live holder renews its lease within a second. At most so many are looked at each time, and
-- others the next time.
local ahead = '(' .. (latest + again)
local count, skip = redis.call('ZCOUNT', KEYS[1], ahead, '+inf'), 0
if count > at_most then skip = math.floor(now / 1000) * at_most % count end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ahead, '+inf', 'LIMIT', skip, at_most)) do
  local lease = lease_of(member)
  if lease and not holds(lease[1], lease[2]) then redis.call('ZADD', KEYS[1], now + again, member) end
end
return due
