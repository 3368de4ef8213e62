-- A user's own live hold. Writes nothing.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: user, the hold's UUID
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | 'rejected'
--
-- include: keys, reply, head, seats, holds
local USER, HOLD = ARGV[OWN], ARGV[OWN + 1]

if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return 'done\n' .. outcome(false, add_priced({'held', NOW, hold.id, hold.expires, hold.sequence}, hold.seats))
