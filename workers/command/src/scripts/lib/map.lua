-- Where seats stand, so that free ones are found without looking at every seat. `store/redis/floor_plan.rs` makes it of
-- a definition, boxoffice_domain::seating says which row is better than which.
--   map     a character a seat: what FREE and TAKEN say, with a '|' behind every row; places count from 0
--   rows    24 bytes a row of numbered seats, the best row first: start, length, twice its middle, section, and the row
--           before and the one behind it in their section (index + 1, or 0)
--   runs    see lib/choose.lua
--   layout  by a row's name (`A-12`, or `FLOOR` for an area): index (-1 for an area), start, length and its seats'
--           numbers, as `=first step` or with commas; and by `#index` its name
local FREE, TAKEN = '.', 'x'
local UNKNOWN = '\255'
local known_rows = {}

-- The row called `name`, or nil.
local function row_called(name)
  local row = known_rows[name]
  if row then
    return row
  end
  local text = redis.call('HGET', LAYOUT, name)
  if not text then
    return nil
  end
  local index, start, length, numbers = string.match(text, '^(%-?%d+) (%d+) (%d+) (.*)$')
  row = {name = name, index = tonumber(index), start = tonumber(start), length = tonumber(length)}
  local first, step = string.match(numbers, '^=(%d+) (%d+)$')
  if first then
    row.first, row.step = tonumber(first), tonumber(step)
  else
    row.numbers = ',' .. numbers .. ','
  end
  known_rows[name] = row
  return row
end

-- The place of the seat `key` and its row, or nil where the chart has none.
local function place_of(key)
  local name, number = string.match(key, '^(.*)%-([^-]*)$')
  local row = row_called(name)
  if not row then
    return nil
  end
  if row.first then
    return row.start + (tonumber(number) - row.first) / row.step, row
  end
  local at = string.find(row.numbers, ',' .. number .. ',', 1, true)
  if not at then
    return nil
  end
  local _, commas = string.gsub(string.sub(row.numbers, 1, at), ',', '')
  return row.start + commas - 1, row
end

local function places_of(keys)
  local places = {}
  for _, key in ipairs(keys) do
    local place = place_of(key)
    places[#places + 1] = place
  end
  return places
end

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

-- Marks the seats `keys` as free again. Their rows may have longer runs now.
local function free_seats(keys)
  local places, last = {}, nil
  for _, key in ipairs(keys) do
    local place, row = place_of(key)
    places[#places + 1] = place
    if row and row ~= last and row.index >= 0 then
      redis.call('SETRANGE', RUNS, row.index, UNKNOWN)
      last = row
    end
  end
  mark(places, FREE)
end
