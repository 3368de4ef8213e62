-- Gives one seat back: out of an own live hold (I6), or out of an own reservation, which cancels it there.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, currency, user, the seat's key, '1' if the chart has it
-- Returns {'released', now, sequence, key} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, claims, seats, holds, map, release, reservations, cancel
local REVISION, CURRENCY, USER, SEAT, EXISTS = unpack(ARGV, OWN, OWN + 4)

if event.revision ~= REVISION then
  return CHANGED
end
if EXISTS ~= '1' then
  return rejected('SEAT_NOT_FOUND', SEAT, 'NOT_FOUND')
end
local seat = read_seats({SEAT})[1]
if seat.status == 'H' then
  local hold, refusal = hold_of_seat(seat.hold, USER)
  if not hold then
    return refusal
  end
  return release(hold, {SEAT})
end
if seat.status == 'R' then
  local reservation, refusal = own_reservation(seat.reservation, USER)
  if not reservation then
    return refusal
  end
  return cancel(reservation, {SEAT}, CURRENCY)
end
return not_held(seat, USER)
