-- Takes a SeatingEvent out of the fence (I7): this server has of it what the log has, and perhaps more that waits to be
-- published. What was worked out from the log takes the place of what is here, in one step. A second time: nothing.
--
-- KEYS of a SeatingEvent, then what takes the place of seats to deadlines, where anything does; ARGV: Recovering
-- (store/redis/wire/args.rs); from REST on, where the state is replaced, fields and values of meta as a list, then the
-- floor plan (lib/floor_plan.lua) where there is a definition
-- Returns 1, 0 where it is out of the fence already, or the error of the fence where this server has another history
--
-- include: last, seats, map, layout, floor_plan, lists, stub
local behind = fence(HISTORY, false)
if behind then
  return behind
end
local recovered, format, archived, time =
  unpack(redis.call('HMGET', META, 'history', 'format', 'archived', 'time'))
-- A version that knows of no archive may have taken a stub for all that there is.
if recovered == HISTORY and tonumber(format or 1) == RECORD_FORMAT and not archived then
  return 0
end
local published = tonumber(LOGGED)
if STATE == 'replace' then
  if PURGED == '1' then
    forget_all()
  end
  local replaced = {[SEATS] = NEW_SEATS, [HOLDS] = NEW_HOLDS, [RESERVATIONS] = NEW_RESERVATIONS,
    [USERS] = NEW_USERS, [DEADLINES] = NEW_DEADLINES}
  for key, new in pairs(replaced) do
    redis.call('UNLINK', key)
    if redis.call('EXISTS', new) == 1 then
      redis.call('RENAME', new, key)
      redis.call('PERSIST', key)
    end
  end
  redis.call('HSET', META, unpack(take_list()))
  if ARGV[next_arg] then
    lay_out(next_arg)
  end
else
  published = math.max(published, tonumber(redis.call('HGET', META, 'published') or 0))
end
if WAITING == 'drop' then
  redis.call('UNLINK', OUTBOX)
  -- Answers of up to now tell of what is gone, under sequences that are others' from here on: neither those that are stored
  -- (lib/head.lua) nor those that still wait for the log may be given. All that comes is of a later moment.
  local dropped = math.max(now(), tonumber(time or 0))
  time = math.max(tonumber(redis.call('HGET', META, 'time') or 0), dropped + 1)
  redis.call('HSET', META, 'dropped', string.format('%d', dropped), 'time', string.format('%d', time))
else
  redis.call('XTRIM', OUTBOX, 'MINID', string.format('%d', published + 1))
end
if STATE == 'replace' then
  local sequence, at = unpack(redis.call('HMGET', META, 'sequence', 'time'))
  -- What was here was another event's; behind a snapshot nobody knows the id.
  redis.call('HDEL', META, 'last')
  if LAST ~= '' then
    redis.call('HSET', META, 'last', last_event(sequence, at, LAST))
  end
end
redis.call('HDEL', META, 'archived', 'chart', 'digest')
redis.call('HSET', META, 'history', HISTORY, 'published', string.format('%d', published), 'offset', OFFSET)
redis.call('PUBLISH', CHANNEL, string.format('published %s %d %s', EVENT, published, HISTORY))
if redis.call('XLEN', OUTBOX) > 0 then
  redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT)
end
return 1
