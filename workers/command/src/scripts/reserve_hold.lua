-- Confirms every seat that a hold still has (I6). Again: the reservation that it became.
--
-- KEYS of a SeatingEvent; ARGV: the head, ReservingHold (store/redis/wire/args.rs)
-- Returns 'reserved' | 'rejected' | 'changed'
--
-- include: reply, head, last, outbox, seats, holds, find_hold, reservations, reserve
if event.revision ~= REVISION then
  return CHANGED
end
local hold, refusal = own_hold(HOLD, USER)
if not hold then
  return refusal
end
if hold.status == 'R' then
  return reserved_already(hold.reservation, USER)
end
hold, refusal = still_live(hold)
if not hold then
  return refusal
end
if CLOSED == '1' then
  return rejected('SALES_CLOSED')
end
return reserve(hold, hold.seats, RESERVATION)
