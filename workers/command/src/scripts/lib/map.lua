-- Where seats stand, so that free ones are found without looking at every seat. `store/redis/floor_plan.rs` makes it of
-- a definition, boxoffice_domain::seating says which row is better than which.
--   map     a character a seat: what FREE and TAKEN say, with a '|' at every aisle of a row and behind every row; places
--           count from 0
--   rows    24 bytes a row of numbered seats, the best row first: start, length with aisles, twice its middle, section,
--           and the row before and the one behind it in their section (index + 1, or 0)
--   runs    see lib/rows.lua
--   layout  by a row's name (`A-12`, or `FLOOR` for an area): index (-1 for an area), start, length and, with '|' between
--           them, the pieces from aisle to aisle: offset in the row, '=' and the seats' numbers, as `first step count
--           width` (zeros in front up to the width) or with commas; and by `#index` its name
local FREE, TAKEN = '.', 'x'
local UNKNOWN = '\255'

-- Marks places, neighbours in one go.
local function mark(places, as)
  local first, count = nil, 0
  for _, place in ipairs(places) do
    if first and place == first + count then
      count = count + 1
    else
      if first then
        redis.call('SETRANGE', MAP, first, string.rep(as, count))
      end
      first, count = place, 1
    end
  end
  if first then
    redis.call('SETRANGE', MAP, first, string.rep(as, count))
  end
end
