-- Confirms one held seat, as a reservation of its own split off its hold (I6). Again: the answer of the first time.
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 revision  9 currency  10 user  11 the new reservation's UUID  12 the seat's key  13 '1' if the chart has it
-- Returns {'reserved', now, reservation, reservedAt, sequence, key, amount} | 'rejected' | 'changed'
--
-- include: reply, head, outbox, seats, holds, reservations, reserve
local REVISION, CURRENCY, USER, RESERVATION, SEAT, EXISTS = unpack(ARGV, 8, 13)

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
