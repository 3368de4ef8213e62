-- Claims seats that are chosen here, all or none (I1): the best available; or units of areas beside seats by name, and
-- seats by name where no single seat may be left behind. A new hold, or more of one that there is.
--
-- KEYS of a SeatingEvent; ARGV: the head, the rules of the sale, Holding, Choosing (store/redis/wire/args.rs); from REST
-- on name, units and price of each area, then key, price and place of each seat
-- Returns 'held', 'reserved' where it went into a reservation since | 'full' | 'rejected' | 'changed'
--
-- include: reply, head, last, outbox, claims, seats, holds, map, take, find_hold, reservations, layout
-- include: release, expiry, hold
local best, first_seat = KIND == 'best', REST + 3 * tonumber(AREAS)
local keys, prices, places = named_seats(first_seat, {})
local growing, answer = open_hold(not best and keys or nil)
if answer then
  return answer
end
if growing then
  keys, prices, places = named_seats(first_seat, growing.seats)
end
local seats = read_seats(keys)
local holds = holds_of(seats)
if not best and AREAS == '0' then
  if #keys == 0 then
    return held_as_it_is(growing)
  end
  local own = not growing and own_hold_of_all(keys, seats, holds)
  if own then
    return own
  end
end
local wanted = best and tonumber(QUANTITY) or #keys
for i = REST, first_seat - 1, 3 do
  wanted = wanted + tonumber(ARGV[i + 1])
end
local refusal = refused_by_limit(growing, wanted) or conflicts_of(keys, prices, seats, holds)
if refusal then
  return refusal
end

-- Only now is anything chosen.
-- include: rows, choose
if best then
  local chosen = best_places(wanted, SECTIONS, GAPS, TOGETHER)
  if not chosen then
    return rejected('NOT_ENOUGH_SEATS', QUANTITY, available(SECTIONS), CALLED)
  end
  local price_of, sections = split(SECTION_PRICES), nil
  keys, sections = seats_at(chosen)
  places = chosen
  for i, section in ipairs(sections) do
    prices[i] = price_of[section + 1]
  end
else
  local taken = {unpack(places)}
  table.sort(taken)
  if GAPS == 'enforce' then
    local gaps = {}
    for _, key in ipairs((seats_at(avoidable_gaps(taken)))) do
      gaps[#gaps + 1] = key
      gaps[#gaps + 1] = 'SINGLE_SEAT_GAP'
    end
    if #gaps > 0 then
      return rejected('SEAT_NOT_AVAILABLE', unpack(gaps))
    end
  end
  for i = REST, first_seat - 1, 3 do
    local area, quantity = row_called(ARGV[i]), ARGV[i + 1]
    local chosen = units(area, tonumber(quantity), taken)
    if #chosen < tonumber(quantity) then
      return rejected('NOT_ENOUGH_SEATS', quantity, #chosen, ARGV[i])
    end
    for _, place in ipairs(chosen) do
      keys[#keys + 1] = key_in(area, place)
      prices[#prices + 1] = ARGV[i + 2]
      places[#places + 1] = place
    end
  end
end
seats = read_seats(keys)
return hold_all(growing, keys, prices, places, seats, holds_of(seats))
