-- Confirms one held seat, as a reservation of its own split off its hold (I6). Again: the answer of the first time.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, currency, user, the new reservation's UUID, the seat's key, '1' if the chart has it
-- Returns {'reserved', now, reservation, reservedAt, sequence, key, amount} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, holds, reservations, reserve
local REVISION, CURRENCY, USER, RESERVATION, SEAT, EXISTS = unpack(ARGV, OWN, OWN + 5)

if event.revision ~= REVISION then
  return CHANGED
end
if EXISTS ~= '1' then
  return rejected('SEAT_NOT_FOUND', SEAT, 'NOT_FOUND')
end
local seat = read_seats({SEAT})[1]
if seat.status == 'R' then
  return reserved_already(seat.reservation, SEAT, USER)
end
if seat.status ~= 'H' then
  return not_held(seat, USER)
end
local hold, refusal = hold_of_seat(seat.hold, USER)
if not hold then
  return refusal
end
return reserve(hold, {SEAT}, RESERVATION, CURRENCY)
