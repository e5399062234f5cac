-- KEYS: job, jobs
-- ARGV: token, host, folder, lock, ms of silence after which an owner counts as dead, take over (0 | 1), job id
-- Makes the caller the one client that gathers a job. Any former owner's token is stale from then on.
-- A job of which Redis has lost the state, the model or the entry in the list of jobs is gone, until its client has
-- created it again.
-- Returns {'owned'}, {'gone'}, or {'alive' | 'elsewhere', host, folder, ms since that owner was seen}.
for _, field in ipairs({'record', 'state', 'model'}) do
  if redis.call('HEXISTS', KEYS[1], field) == 0 then return {'gone'} end
end
if not redis.call('ZSCORE', KEYS[2], ARGV[7]) then return {'gone'} end
local before = redis.call('HMGET', KEYS[1], 'owner', 'owner_seen', 'owner_host', 'owner_folder', 'owner_lock')
local token, seen, host, folder, lock = before[1], tonumber(before[2] or 0) or 0, before[3], before[4], before[5]
-- The same lock means that the caller holds the lock of the former owner's journal, so that owner has ended.
if token and token ~= ARGV[1] and (ARGV[4] == '' or lock ~= ARGV[4]) then
  local silence = now - seen
  -- An owner that was seen in the future was seen before the clock was set back.
  if math.abs(silence) < tonumber(ARGV[5]) then return {'alive', host or '', folder or '', silence} end
  if ARGV[6] == '0' and (host ~= ARGV[2] or folder ~= ARGV[3]) then
    return {'elsewhere', host or '', folder or '', silence}
  end
end
pass_memory_limit()
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'owner_seen', now, 'owner_host', ARGV[2], 'owner_folder', ARGV[3],
  'owner_lock', ARGV[4])
return {'owned'}
