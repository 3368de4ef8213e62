-- Claims seats by name for a while, all or none (I1). Asking again for seats that one own live hold has gives that hold
-- again.
--
-- KEYS, ARGV before OWN: lib/head.lua; from OWN on: lib/hold.lua, then key, price and place of each seat; price '' and
-- place 0 for a seat that does not exist
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | {'full', depth} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, claims, seats, holds, map, expiry, hold
local refusal = refused_by_sales()
if refusal then
  return refusal
end
local keys, prices, places = named_seats(REST)
local seats = read_seats(keys)
local holds = holds_of(seats)

local own = own_hold_of_all(keys, seats, holds)
if own then
  return done(own)
end
return conflicts_of(keys, prices, seats, holds) or hold_all(keys, prices, places, seats, holds)
