-- Gives back every seat that a reservation still has.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, currency, user, the reservation's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, claims, seats, map, holds, reservations, cancel
local REVISION, CURRENCY, USER, RESERVATION = unpack(ARGV, OWN, OWN + 3)

if event.revision ~= REVISION then
  return CHANGED
end
local reservation, refusal = own_reservation(RESERVATION, USER)
if not reservation then
  return refusal
end
return cancel(reservation, reservation.seats, CURRENCY)
