-- Which seat stands where on the map (lib/map.lua), by its layout.
local known_rows = {}

-- How numbers of at least `width` digits are written.
local function format_of(width)
  return width == '0' and '%d' or '%0' .. width .. 'd'
end

-- The row called `name`, by what the layout has of it.
local function row_from(name, text)
  local index, start, length, pieces = string.match(text, '^(%-?%d+) (%d+) (%d+) (.*)$')
  local row = {name = name, index = tonumber(index), start = tonumber(start), length = tonumber(length), pieces = {}}
  for offset, numbers in string.gmatch(pieces, '(%d+)=([^|]*)') do
    local piece = {offset = tonumber(offset)}
    local first, step, count, width = string.match(numbers, '^(%d+) (%-?%d+) (%d+) (%d+)$')
    if first then
      piece.first, piece.step, piece.count = tonumber(first), tonumber(step), tonumber(count)
      piece.format = format_of(width)
    else
      local _, commas = string.gsub(numbers, ',', '')
      piece.numbers, piece.count = ',' .. numbers .. ',', commas + 1
    end
    row.pieces[#row.pieces + 1] = piece
  end
  known_rows[name] = row
  return row
end

-- What the layout has of each of `fields`. In slices, for `unpack` is bounded.
local function read_layout(fields)
  local texts = {}
  for first = 1, #fields, 1000 do
    for _, text in ipairs(redis.call('HMGET', LAYOUT, unpack(fields, first, math.min(first + 999, #fields)))) do
      texts[#texts + 1] = text
    end
  end
  return texts
end

-- The row called `name`, or nil.
local function row_called(name)
  local row = known_rows[name]
  if row then
    return row
  end
  local text = redis.call('HGET', LAYOUT, name)
  return text and row_from(name, text) or nil
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
  local offset, piece = place - row.start, row.pieces[1]
  for nth = 2, #row.pieces do
    if row.pieces[nth].offset <= offset then
      piece = row.pieces[nth]
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

-- The key of the seat `offset` places behind the beginning of the row called `name`, of which the layout has `text`. Most
-- rows are of one piece and evenly spaced: such a one is not taken apart for the sake of a seat.
local function key_at(name, text, offset)
  local first, step, width = string.match(text, '^%d+ %d+ %d+ 0=(%d+) (%-?%d+) %d+ (%d+)$')
  if first then
    return name .. '-' .. string.format(format_of(width), first + offset * step)
  end
  local row = known_rows[name] or row_from(name, text)
  return key_in(row, row.start + offset)
end

-- Marks the seats `keys` as free again. Their rows may have longer runs now, though none that is longer than the row.
local function free_seats(keys)
  local places, last = {}, nil
  for _, key in ipairs(keys) do
    local place, row = place_of(key)
    places[#places + 1] = place
    if row and row ~= last and row.index >= 0 then
      redis.call('SETRANGE', RUNS, row.index, string.char(128 + math.min(row.length, 127)))
      last = row
    end
  end
  mark(places, FREE)
end
