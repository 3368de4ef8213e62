-- Gives back every seat that a live hold still has (I6).
--
-- KEYS of a SeatingEvent; ARGV: the head, ReleasingHold (store/redis/wire/args.rs)
-- Returns 'released' | 'rejected'
--
-- include: reply, head, last, outbox, claims, seats, holds, find_hold, map, layout, release
if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
return release(hold, hold.seats)
