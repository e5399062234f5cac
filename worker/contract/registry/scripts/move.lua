-- KEYS: aliases, moves, model of the version, service counts of the version, fence
-- ARGV: version, live expected, baseline, action, who, reason, moves kept, fence token or '',
--       canary ('1' or ''), best from now on or '' for no change, best until now
-- Makes a version live. Returns 1 done, 0 it was live already, -1 another version is live than expected, -2 there is no
-- such version, -3 the fence is lost, -4 another version is the best than expected. Aliases store the baseline as that
-- word, because each release ships its own.
local function stored(version) return version == ARGV[3] and 'baseline' or version end
if ARGV[8] ~= '' and redis.call('GET', KEYS[5]) ~= ARGV[8] then return -3 end
local live = redis.call('HGET', KEYS[1], 'live')
if not live or live == 'baseline' then live = ARGV[3] end
if live == ARGV[1] then return 0 end
if live ~= ARGV[2] then return -1 end
if ARGV[1] ~= ARGV[3] and redis.call('EXISTS', KEYS[3]) == 0 then return -2 end
local best = redis.call('HGET', KEYS[1], 'best')
if ARGV[10] ~= '' and best and best ~= stored(ARGV[11]) then return -4 end

pass_memory_limit()  -- a rollback must also work when memory has run out
redis.call('HSET', KEYS[1], 'live', stored(ARGV[1]), 'previous', stored(live))
if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'best', stored(ARGV[10])) end
-- Only a promotion makes a canary. If a rollback did, two versions could roll each other back forever.
if ARGV[9] == '1' then
  redis.call('HSET', KEYS[1], 'watched', stored(ARGV[1]))
else
  redis.call('HDEL', KEYS[1], 'watched')
end
if ARGV[4] == 'promote' then redis.call('DEL', KEYS[4]) end
if redis.call('HGET', KEYS[1], 'candidate') == ARGV[1] then redis.call('HDEL', KEYS[1], 'candidate') end
redis.call('LPUSH', KEYS[2], cjson.encode({
  at = string.format('%.0f', now), action = ARGV[4], version = ARGV[1], before = live, who = ARGV[5], reason = ARGV[6]
}))
redis.call('LTRIM', KEYS[2], 0, ARGV[7] - 1)
return 1
