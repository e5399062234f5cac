-- KEYS: calls of one kind, sent, gate
-- ARGV: name of the kind, max calls, max bytes, call
-- Returns the sequence number of the call among all of its kind, 0 if the lane is full, or -1 if the
-- queue is paused; and the time in ms.
-- Sending a call twice is harmless, because the client ignores a second answer.
if is_paused(KEYS[3]) then return {-1, now} end
local waiting = redis.call('LLEN', KEYS[1])
-- A call of many bytes is accepted only while few wait. So all that wait have few bytes together.
if waiting >= tonumber(ARGV[2]) or (waiting + 1) * #ARGV[4] > tonumber(ARGV[3]) then return {0, now} end
redis.call('LPUSH', KEYS[1], ARGV[4])
return {add(KEYS[2], ARGV[1], 1), now}
