-- Gives back every seat that a live hold still has (I6).
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: user, the hold's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected'
--
-- include: keys, reply, head, outbox, claims, seats, holds, map, release
local USER, HOLD = ARGV[OWN], ARGV[OWN + 1]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return release(hold, hold.seats)
