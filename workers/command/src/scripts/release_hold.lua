-- Gives back every seat that a live hold still has (I6).
--
-- KEYS, ARGV 1-6: lib/head.lua
-- ARGV  7 user  8 the hold's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected'
--
-- include: reply, head, outbox, claims, seats, holds, release
local USER, HOLD = ARGV[7], ARGV[8]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return release(hold, hold.seats)
