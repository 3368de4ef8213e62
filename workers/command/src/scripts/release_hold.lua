-- Gives back every seat that a live hold still has (I6).
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 user  9 the hold's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected'
--
-- include: reply, head, outbox, claims, seats, holds, release
local USER, HOLD = ARGV[8], ARGV[9]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return release(hold, hold.seats)
