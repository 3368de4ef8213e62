-- Gives one seat back out of an own live hold (I6). One of a reservation the worker decides about.
--
-- KEYS of a SeatingEvent; ARGV: the head, ReleasingSeat (store/redis/wire/args.rs)
-- Returns 'released' | 'rejected' | 'changed' | 'cold'
--
-- include: reply, head, last, outbox, claims, seats, holds, find_hold, map, layout, release
if event.revision ~= REVISION then
  return CHANGED
end
if EXISTS ~= '1' then
  return rejected('SEAT_NOT_FOUND', SEAT, 'NOT_FOUND')
end
local seat = read_seats({SEAT})[1]
if seat.status == 'R' then
  return COLD
end
if seat.status ~= 'H' then
  return not_held(seat, USER)
end
local hold, refusal = hold_of_seat(seat.hold, USER)
if not hold then
  return refusal
end
return release(hold, {SEAT})
