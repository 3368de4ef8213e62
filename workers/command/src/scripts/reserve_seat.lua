-- Confirms one held seat, as a reservation of its own split off its hold (I6). Again: the reservation that it is in.
--
-- KEYS of a SeatingEvent; ARGV: the head, ReservingSeat (store/redis/wire/args.rs)
-- Returns 'reserved' | 'rejected' | 'changed'
--
-- include: reply, head, last, outbox, seats, holds, find_hold, reservations, reserve
if event.revision ~= REVISION then
  return CHANGED
end
if EXISTS ~= '1' then
  return rejected('SEAT_NOT_FOUND', SEAT, 'NOT_FOUND')
end
local seat = read_seats({SEAT})[1]
if seat.status == 'R' then
  return reserved_already(seat.reservation, USER)
end
if seat.status ~= 'H' then
  return not_held(seat, USER)
end
local hold, refusal = hold_of_seat(seat.hold, USER)
if not hold then
  return refusal
end
if CLOSED == '1' then
  return rejected('SALES_CLOSED')
end
return reserve(hold, {SEAT}, RESERVATION)
