-- Claims seats that are chosen here, all or none (I1): the best available; or units of areas beside seats by name, and
-- seats by name where no single seat may be left behind.
--
-- KEYS, ARGV before OWN: lib/head.lua; from OWN on: lib/hold.lua, then what to do about single seats (off, prefer,
-- enforce), then either
--   'best', how many seats, '1' or '0' for every section that they may come from, the sections' prices with commas, and
--     what a refusal calls the section, or '', whether nothing but neighbours will do (required, preferred)
--   'these', how many areas, then name, units and price of each, then seats as hold.lua has them
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | {'full', depth} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, claims, seats, holds, map, choose, expiry, hold
local GAPS, KIND = ARGV[REST], ARGV[REST + 1]

local refusal = refused_by_sales()
if refusal then
  return refusal
end

-- Keys, prices and places of the best seats; or nil and the refusal.
local function choose_best()
  local quantity, sections, section_prices, called, together = unpack(ARGV, REST + 2, REST + 6)
  local chosen = best_places(tonumber(quantity), sections, GAPS, together)
  if not chosen then
    return nil, rejected('NOT_ENOUGH_SEATS', quantity, available(sections), called)
  end
  local price_of, keys, prices = split(section_prices), {}, {}
  for i, place in ipairs(chosen) do
    local key, section = seat_at(place)
    keys[i], prices[i] = key, price_of[section + 1]
  end
  return keys, prices, chosen
end

-- The named seats and units of areas; or nil and what to answer instead.
local function choose_these()
  local areas = tonumber(ARGV[REST + 2])
  local keys, prices, places = named_seats(REST + 3 + 3 * areas)
  local seats = read_seats(keys)
  local holds = holds_of(seats)
  local own = areas == 0 and own_hold_of_all(keys, seats, holds)
  if own then
    return nil, done(own)
  end
  local conflicts = conflicts_of(keys, prices, seats, holds)
  if conflicts then
    return nil, conflicts
  end
  local taken = {unpack(places)}
  table.sort(taken)
  if GAPS == 'enforce' then
    local gaps = {}
    for _, place in ipairs(avoidable_gaps(taken)) do
      gaps[#gaps + 1] = seat_at(place)
      gaps[#gaps + 1] = 'SINGLE_SEAT_GAP'
    end
    if #gaps > 0 then
      return nil, rejected('SEAT_NOT_AVAILABLE', unpack(gaps))
    end
  end
  for i = REST + 3, REST + 2 + 3 * areas, 3 do
    local area, quantity = row_called(ARGV[i]), ARGV[i + 1]
    local chosen = units(area, tonumber(quantity), taken)
    if #chosen < tonumber(quantity) then
      return nil, rejected('NOT_ENOUGH_SEATS', quantity, #chosen, ARGV[i])
    end
    for _, place in ipairs(chosen) do
      keys[#keys + 1] = key_in(area, place)
      prices[#prices + 1] = ARGV[i + 2]
      places[#places + 1] = place
    end
  end
  return keys, prices, places
end

local keys, prices, places
if KIND == 'best' then
  keys, prices, places = choose_best()
else
  keys, prices, places = choose_these()
end
if not keys then
  return prices
end
local seats = read_seats(keys)
return hold_all(keys, prices, places, seats, holds_of(seats))
