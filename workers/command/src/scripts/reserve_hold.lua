-- Confirms every seat that a hold still has (I6). Again: the answer of the first time.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, currency, user, the new reservation's UUID, the hold's UUID
-- Returns {'reserved', now, reservation, reservedAt, sequence, key, amount, ...} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, holds, reservations, reserve
local REVISION, CURRENCY, USER, RESERVATION, HOLD = unpack(ARGV, OWN, OWN + 4)

if event.revision ~= REVISION then
  return CHANGED
end
local hold, refusal = own_hold(HOLD, USER)
if not hold then
  return refusal
end
if hold.status == 'R' then
  return reserved_already(hold.reservation, nil, USER)
end
if hold.status == 'E' or has_lapsed(hold) then
  return rejected('HOLD_EXPIRED')
end
return reserve(hold, hold.seats, RESERVATION, CURRENCY)
