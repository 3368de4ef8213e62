-- Ends a hold whose deadline has passed (I6), and forgets one that expired long enough ago. Does nothing to any other.
--
-- KEYS, ARGV before OWN: lib/head.lua (correlation id and user are the hold's own, whatever ARGV says)
-- ARGV  at OWN: the hold's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected'
--
-- include: keys, reply, head, outbox, claims, seats, holds, map, expiry
local HOLD = ARGV[OWN]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold = read_hold(HOLD)
if not hold then
  redis.call('ZREM', DEADLINES, HOLD)
elseif hold.status == 'E' and NOW >= hold.expires + EXPIRED_HOLD_MEMORY then
  forget_hold(hold)
elseif hold.status == 'A' and has_lapsed(hold) then
  local keys = hold.seats
  expire(hold)
  commit()
  return done({'released', NOW, event.sequence, unpack(keys)})
end
return done({'released', NOW, event.sequence})
