-- Gives back every seat that a reservation still has.
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 revision  9 currency  10 user  11 the reservation's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected' | 'changed'
--
-- include: reply, head, outbox, claims, seats, holds, reservations, cancel
local REVISION, CURRENCY, USER, RESERVATION = unpack(ARGV, 8, 11)

if event.revision ~= REVISION then
  return CHANGED
end
local reservation, refusal = own_reservation(RESERVATION, USER)
if not reservation then
  return refusal
end
return cancel(reservation, reservation.seats, CURRENCY)
