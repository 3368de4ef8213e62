-- Ends a hold whose deadline has passed (I6), and forgets one that expired long enough ago, or a reservation whose payment
-- failed long enough ago. Does nothing to any other.
--
-- KEYS of a SeatingEvent; ARGV: the head, Expiring (store/redis/wire/args.rs). Correlation id and user of the events are
-- the hold's own, whatever the head says.
-- Returns 'released' | 'rejected'
--
-- include: reply, head, last, outbox, claims, seats, holds, find_hold, map, layout, release, expiry
if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold = read_hold(HOLD)
if string.sub(HOLD, 1, #FAILED) == FAILED then
  local forgotten_at = redis.call('ZSCORE', DEADLINES, HOLD)
  if forgotten_at and NOW >= tonumber(forgotten_at) then
    redis.call('HDEL', RESERVATIONS, HOLD)
    redis.call('ZREM', DEADLINES, HOLD)
  end
elseif not hold then
  redis.call('ZREM', DEADLINES, HOLD)
elseif hold.status == 'E' and NOW >= hold.expires + EXPIRED_HOLD_MEMORY then
  forget_hold(hold)
elseif hold.status == 'A' and has_lapsed(hold) then
  local keys = expire(hold)
  commit()
  return released(hold, keys)
end
return released({seats = {}, currency = CURRENCY}, {})
