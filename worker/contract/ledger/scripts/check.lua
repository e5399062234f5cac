-- KEYS: job, manifest, results, open, jobs
-- ARGV: job id, token, mend (0 | 1), state, rows sent, rows answered before, rows failed, then of each batch that was
--       sent and may not be answered: sequence, images, …
-- Compares what a client has sent with what is here, because Redis may have lost any of it. A part is here if its record
-- or its answers are, or if both of its halves are.
-- With `mend`, the caller is the only one that knows what was sent: drops everything else of the job, and corrects the
-- counters and the state.
-- Returns {'here', lost parts, batches without a manifest, answered parts}, or {'gone' | 'fenced' | 'cancelled' | 'failed'}.
local state = redis.call('HGET', KEYS[1], 'state')
local mend = ARGV[3] == '1'
if not state or redis.call('HEXISTS', KEYS[1], 'record') == 0 then return {'gone'} end
-- Without these the answers to what was sent can still be gathered, so only the client needs to create the job again.
if mend and (redis.call('HEXISTS', KEYS[1], 'model') == 0 or not redis.call('ZSCORE', KEYS[5], ARGV[1])) then
  return {'gone'}
end
if mend and (redis.call('HGET', KEYS[1], 'owner') or '') ~= ARGV[2] then return {'fenced'} end
if state == 'cancelled' or state == 'failed' then return {state} end

pass_memory_limit()
local lost, answered, sent = {}, {}, {}
local open, bytes, rows = 0, 0, tonumber(ARGV[6])

-- Returns whether nothing of the part is here, and then lists it as one lost part.
local function is_lost(sequence, start, stop)
  local field = string.format('%s.%d.%d', sequence, start, stop)
  if redis.call('HEXISTS', KEYS[3], field) == 1 then
    answered[#answered + 1] = field
    rows = rows + stop - start
    return false
  end
  local member = ARGV[1] .. '/' .. field
  local key = 'digitmill:batch:' .. member
  -- A payload without a lease is what a client left that ended in the middle of `submit`. No worker takes it.
  if redis.call('HEXISTS', key, 'payload') == 1 and redis.call('HEXISTS', key, 'lease') == 1 then
    open = open + 1
    bytes = bytes + number(key, 'bytes')
    if not redis.call('ZSCORE', KEYS[4], member) then redis.call('ZADD', KEYS[4], now, member) end
    return false
  end
  if stop - start > 1 then
    local middle = math.floor((start + stop) / 2)
    local left, right = is_lost(sequence, start, middle), is_lost(sequence, middle, stop)
    if not (left and right) then return false end
    lost[#lost], lost[#lost - 1] = nil, nil  -- the whole instead of both halves
  end
  lost[#lost + 1] = field
  return true
end

local bare = {}
for index = 8, #ARGV, 2 do
  local sequence = ARGV[index]
  sent[sequence] = true
  if redis.call('HEXISTS', KEYS[2], sequence) == 0 then bare[#bare + 1] = tonumber(sequence) end
  is_lost(sequence, 0, tonumber(ARGV[index + 1]))
end
if not mend then return {'here', lost, bare, answered} end

local surplus = #ARGV < 8
for _, sequence in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not sent[sequence] then
    redis.call('HDEL', KEYS[2], sequence)
    surplus = true
  end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  if not sent[string.match(field, '^%d+') or ''] then
    redis.call('HDEL', KEYS[3], field)
    surplus = true
  end
end
if surplus then drop_open(KEYS[4], ARGV[1], sent) end

local unread = redis.call('HLEN', KEYS[3])
local counts = {tonumber(ARGV[5]), rows, open, unread}
local before = redis.call('HMGET', KEYS[1], 'images', 'answered', 'open', 'unread')
local right = number(KEYS[1], 'failed') >= tonumber(ARGV[7])
for index = 1, 4 do right = right and tonumber(before[index] or 0) == counts[index] end
if not right then
  redis.call('HSET', KEYS[1], 'images', counts[1], 'answered', rows, 'failed', ARGV[7], 'open', open, 'open_bytes', bytes,
    'unread', unread)
end
local wanted, ended = ARGV[4], false
-- The owner may not have seen yet which of the answers are error rows. It ends the job when it has.
if wanted == 'running' and rows == counts[1] and (right or ARGV[2] == '') then
  wanted, ended = number(KEYS[1], 'failed') > 0 and 'done with errors' or 'done', true
end
if state ~= wanted then
  redis.call('HSET', KEYS[1], 'state', wanted)
  if ended then redis.call('HSETNX', KEYS[1], 'ended', now) else redis.call('HDEL', KEYS[1], 'ended') end
end
return {'here', lost, bare, answered}
