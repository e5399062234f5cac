-- KEYS: inbox, taught, keeper, held back
-- ARGV: maximum number of waiting changes, maximum number of taught images, ms that a keeper asks for, then for each
--       image: SHA-256, record
-- Puts all changes into the inbox or none. Returns the label that each image had before ('-' for none), or 0 if too many
-- changes would wait, or -1 if there would be too many taught images. What is held back has a label, but each change of
-- it is sent, because it may confirm that label.
local fresh, coming = 0, 0
for i = 4, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    fresh = fresh + 1
    local known = redis.call('HEXISTS', KEYS[2], ARGV[i]) + redis.call('HEXISTS', KEYS[4], ARGV[i])
    if ARGV[i + 1]:sub(1, 1) ~= '-' and known == 0 then coming = coming + 1 end
  end
end
local waiting = redis.call('HLEN', KEYS[1])
if fresh > 0 and waiting + fresh > tonumber(ARGV[1]) then return 0 end
local there = redis.call('HLEN', KEYS[2]) + redis.call('HLEN', KEYS[4]) + waiting
if coming > 0 and there + coming > tonumber(ARGV[2]) then return -1 end

-- Without a keeper, the folder may no longer agree with its account, so every change is sent.
local kept = key_holds(KEYS[3], nil, ARGV[3])
local before = {}
for i = 4, #ARGV, 2 do
  local sha256, record = ARGV[i], ARGV[i + 1]
  local waits, held = redis.call('HGET', KEYS[1], sha256), redis.call('HGET', KEYS[4], sha256)
  local known = held or redis.call('HGET', KEYS[2], sha256)
  local last = waits
  if not waits or waits == record then last = known end  -- the same record was sent before, and its reply was lost
  local label = last and last:sub(1, 1) or '-'
  table.insert(before, label)
  if label ~= record:sub(1, 1) or held or not (waits or kept) then redis.call('HSET', KEYS[1], sha256, record) end
end
return before
