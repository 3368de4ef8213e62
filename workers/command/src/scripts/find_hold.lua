-- A user's own live hold. Writes nothing.
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 user  9 the hold's UUID
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | 'rejected'
--
-- include: reply, head, seats, holds
local USER, HOLD = ARGV[8], ARGV[9]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return add_priced({'held', NOW, hold.id, hold.expires, hold.sequence}, hold.seats)
