-- Takes a SeatingEvent out of the fence (I7): this server has of it what the log has, and perhaps more that waits to be
-- published. What was worked out from the log takes the place of what is here, in one step. A second time: nothing.
--
-- KEYS  lib/keys.lua, then 12-16 what takes the place of 2-6, where anything does
-- ARGV  1 the history of this server, as its connection knows it  2 the signals' channel  3 the SeatingEvent's id
--       4 sequence up to which the log has its events  5 'keep' or 'replace' what is here
--       6 'keep' or 'drop' what waits to be published  7 where it is replaced: how many fields and values of meta, then
--       those, then the floor plan (lib/floor_plan.lua) where there is a definition
-- Returns 1, 0 where it is out of the fence already, or the error of the fence where this server has another history
--
-- include: keys, seats, map, floor_plan
local HISTORY, CHANNEL, EVENT, LOGGED, STATE, WAITING = unpack(ARGV, 1, 6)
local behind = fence(HISTORY, false)
if behind then
  return behind
end
if redis.call('HGET', META, 'history') == HISTORY then
  return 0
end
local published = tonumber(LOGGED)
if STATE == 'replace' then
  for i = 2, 6 do
    redis.call('UNLINK', KEYS[i])
    if redis.call('EXISTS', KEYS[i + 10]) == 1 then
      redis.call('RENAME', KEYS[i + 10], KEYS[i])
      redis.call('PERSIST', KEYS[i])
    end
  end
  local last = 7 + tonumber(ARGV[7])
  redis.call('HSET', META, unpack(ARGV, 8, last))
  if ARGV[last + 1] then
    lay_out(last + 1)
  end
else
  published = math.max(published, tonumber(redis.call('HGET', META, 'published') or 0))
end
if WAITING == 'drop' then
  redis.call('UNLINK', OUTBOX)
else
  redis.call('XTRIM', OUTBOX, 'MINID', string.format('%.0f', published + 1))
end
redis.call('HSET', META, 'history', HISTORY, 'published', string.format('%.0f', published))
redis.call('HDEL', META, 'relayToken')
redis.call('PUBLISH', CHANNEL, string.format('published %s %.0f %s', EVENT, published, HISTORY))
if redis.call('XLEN', OUTBOX) > 0 then
  redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT)
end
return 1
