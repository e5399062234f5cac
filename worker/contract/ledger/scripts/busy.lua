-- KEYS: open
-- ARGV: job id
-- Returns {1 if a part of the job waits or is in work, else 0; 1 if a worker holds a part of any job, else 0}.
local prefix, queued, held = ARGV[1] .. '/', 0, 0
for _, member in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  local key = 'digitmill:batch:' .. member
  local mine = string.sub(member, 1, #prefix) == prefix
  -- A part with a lease is due when its lease ends, so the first ones are those with a lease.
  if held == 0 or (mine and queued == 0) then
    local record = redis.call('HMGET', key, 'lease', 'granted')
    if mine and record[1] then queued = 1 end
    if holds(record[1], record[2]) then held = 1 end
  end
end
return {queued, held}
