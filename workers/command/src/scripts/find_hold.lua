-- A user's own live hold. Writes nothing.
--
-- KEYS, ARGV 1-6: lib/head.lua
-- ARGV  7 user  8 the hold's UUID
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | 'rejected'
--
-- include: reply, head, seats, holds
local USER, HOLD = ARGV[7], ARGV[8]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return add_priced({'held', NOW, hold.id, hold.expires, hold.sequence}, hold.seats)
