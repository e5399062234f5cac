-- KEYS: open, jobs
-- ARGV: maximum number of parts to look at, and of jobs
-- Returns, of parts: all; with a lease, images of those; without, images of those; ms since the oldest without a lease
-- was submitted, or -1; number looked at. Then of jobs: all; answers that nobody has acknowledged; running ones; number
-- looked at. It changes nothing, whatever the type of the keys, because a reader may not.
local leased, leased_images, waiting, waiting_images, looked, oldest = 0, 0, 0, 0, 0, -1

-- The first parts are those that are overdue for longest. Those with a lease are due when it ends, so they come last.
local half = math.floor(ARGV[1] / 2)
local count = server.call('ZCARD', KEYS[1])
local members = server.call('ZRANGE', KEYS[1], 0, count > 2 * half and half - 1 or -1)
if count > 2 * half then
  for _, member in ipairs(server.call('ZRANGE', KEYS[1], -half, -1)) do members[#members + 1] = member end
end
for _, member in ipairs(members) do
  local record = server.pcall('HMGET', 'digitmill:batch:' .. member, 'lease', 'granted', 'images', 'submitted')
  if record[1] then
    local images = math.max(whole(record[3]), 0)
    if holds(record[1], record[2]) then
      leased, leased_images = leased + 1, leased_images + images
    else
      waiting, waiting_images = waiting + 1, waiting_images + images
      if record[4] then oldest = math.max(oldest, now - whole(record[4])) end
    end
  end
  looked = looked + 1
end

local unacknowledged, running = 0, 0
local jobs = server.call('ZREVRANGE', KEYS[2], 0, ARGV[2] - 1)
for _, job in ipairs(jobs) do
  local record = server.pcall('HMGET', 'digitmill:job:' .. job, 'unread', 'state')
  unacknowledged = unacknowledged + math.max(whole(record[1]), 0)
  if record[2] == 'submitting' or record[2] == 'running' then running = running + 1 end
end
return {count, leased, leased_images, waiting, waiting_images, oldest, looked, server.call('ZCARD', KEYS[2]),
  unacknowledged, running, #jobs}
