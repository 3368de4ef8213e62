-- Where seats stand, so that free ones are found without looking at every seat. `store/redis/floor_plan.rs` makes it of
-- a definition, boxoffice_domain::seating says which row is better than which.
--   map     a character a seat: what FREE and TAKEN say, with a '|' at every aisle of a row and behind every row; places
--           count from 0
--   rows    24 bytes a row of numbered seats, the best row first: start, length with aisles, twice its middle, section,
--           and the row before and the one behind it in their section (index + 1, or 0)
--   runs    see lib/choose.lua
--   layout  by a row's name (`A-12`, or `FLOOR` for an area): index (-1 for an area), start, length and, with '|' between
--           them, the pieces from aisle to aisle: offset in the row, '=' and the seats' numbers, as `first step count
--           width` (zeros in front up to the width) or with commas; and by `#index` its name
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
  local index, start, length, pieces = string.match(text, '^(%-?%d+) (%d+) (%d+) (.*)$')
  row = {name = name, index = tonumber(index), start = tonumber(start), length = tonumber(length), pieces = {}}
  for offset, numbers in string.gmatch(pieces, '(%d+)=([^|]*)') do
    local piece = {offset = tonumber(offset)}
    local first, step, count, width = string.match(numbers, '^(%d+) (%-?%d+) (%d+) (%d+)$')
    if first then
      piece.first, piece.step, piece.count = tonumber(first), tonumber(step), tonumber(count)
      piece.format = '%0' .. width .. '.0f'
    else
      local _, commas = string.gsub(numbers, ',', '')
      piece.numbers, piece.count = ',' .. numbers .. ',', commas + 1
    end
    row.pieces[#row.pieces + 1] = piece
  end
  known_rows[name] = row
  return row
end

-- How many seats of `piece` are before the one of this number, or nil where it has none.
local function nth_in(piece, number)
  if piece.numbers then
    local at = string.find(piece.numbers, ',' .. number .. ',', 1, true)
    if not at then
      return nil
    end
    local _, commas = string.gsub(string.sub(piece.numbers, 1, at), ',', '')
    return commas - 1
  end
  local value = tonumber(number)
  local nth = value and (value - piece.first) / piece.step
  -- Not every text that is a number is written as this one: `7` is not `07`.
  if nth and nth >= 0 and nth < piece.count and nth % 1 == 0 and string.format(piece.format, value) == number then
    return nth
  end
end

-- The place of the seat `key` and its row, or nil where the chart has none.
local function place_of(key)
  local name, number = string.match(key, '^(.*)%-([^-]*)$')
  local row = row_called(name)
  for _, piece in ipairs(row and row.pieces or {}) do
    local nth = nth_in(piece, number)
    if nth then
      return row.start + piece.offset + nth, row
    end
  end
end

-- The key of the seat at `place` of `row`.
local function key_in(row, place)
  local offset, piece = place - row.start, nil
  for _, one in ipairs(row.pieces) do
    if one.offset <= offset then
      piece = one
    end
  end
  local nth = offset - piece.offset
  if piece.first then
    return row.name .. '-' .. string.format(piece.format, piece.first + nth * piece.step)
  end
  for number in string.gmatch(piece.numbers, '[^,]+') do
    if nth == 0 then
      return row.name .. '-' .. number
    end
    nth = nth - 1
  end
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
