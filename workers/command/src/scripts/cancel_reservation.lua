-- Gives back every seat that a reservation still has.
--
-- KEYS, ARGV 1-6: lib/head.lua
-- ARGV  7 revision  8 currency  9 user  10 the reservation's UUID
-- Returns {'released', now, sequence, key, ...} | 'rejected' | 'changed'
--
-- include: reply, head, outbox, claims, seats, holds, reservations, cancel
local REVISION, CURRENCY, USER, RESERVATION = unpack(ARGV, 7, 10)

if event.revision ~= REVISION then
  return CHANGED
end
local reservation, refusal = own_reservation(RESERVATION, USER)
if not reservation then
  return refusal
end
return cancel(reservation, reservation.seats, CURRENCY)
