-- Claims seats by name for a while, all or none (I1): a new hold, or more of one that there is. Asking again for seats
-- that one own live hold has gives that hold again.
--
-- KEYS of a SeatingEvent; ARGV: the head, the rules of the sale, Holding (store/redis/wire/args.rs); from REST on key,
-- price and place of each seat
-- Returns 'held', 'reserved' where it went into a reservation since | 'full' | 'rejected' | 'changed'
--
-- include: reply, head, last, outbox, claims, seats, holds, map, take
local keys, prices, places = named_seats(REST, {})
local seats = read_seats(keys)
if nothing_is_in_the_way(keys, prices, seats) then
  return refused_by_outbox(HIGH_WATERMARK) or take(nil, keys, prices, places)
end

-- Something is; only now is defined what that needs.
-- include: find_hold, reservations, layout, release, expiry, hold
local growing, answer = open_hold(keys)
if answer then
  return answer
end
if growing then
  keys, prices, places = named_seats(REST, growing.seats)
  seats = read_seats(keys)
end
if #keys == 0 then
  return held_as_it_is(growing)
end
local holds = holds_of(seats)
local own = not growing and own_hold_of_all(keys, seats, holds)
if own then
  return own
end
return refused_by_limit(growing, #keys) or conflicts_of(keys, prices, seats, holds)
  or hold_all(growing, keys, prices, places, seats, holds)
