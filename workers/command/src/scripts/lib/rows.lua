-- What the map and its rows say, for choosing seats on it (lib/choose.lua). `sections` has a '1' for every section, by
-- index, that may be chosen from. A row's text is its piece of the map with the '|' behind it; positions in it count from 1.
--
-- `runs` has a byte a row of numbered seats: 128 + the longest run of free seats that the row may have, at most 127.
-- A row that has lost seats may have less than it says and is corrected by whoever looks; one that got seats back says
-- its length, one that nobody has looked at UNKNOWN. So the rows that are not worth a look are passed over in one search.

-- Most lapsed holds whose seats count as free before the sweeper has released them, and most seats of them.
local MOST_LAPSED, MOST_LAPSED_SEATS = 256, 2048
-- Rows that are read at once, and places of an area.
local ROWS_AT_ONCE, PLACES_AT_ONCE = 64, 4096
-- Rows whose text is read one by one, before the whole map is.
local ROWS_BY_THEMSELVES = 16
-- Free seats of a row that are counted one by one.
local FEW = 8
local ROW_SIZE = 24

-- The places of lapsed holds: they are free.
local lapsed_places, lapsed_rows = {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'LIMIT', 0, MOST_LAPSED)) do
  local hold = #lapsed_places < MOST_LAPSED_SEATS and read_hold(id)
  if hold and hold.status == 'A' then
    for i, seat in ipairs(read_seats(hold.seats)) do
      local place, row = place_of(hold.seats[i])
      if place and not seat.blocked then
        lapsed_places[#lapsed_places + 1] = place
        lapsed_rows[row.index] = true
      end
    end
  end
end
table.sort(lapsed_places)

-- `text`, which stands on the map from `start` on, with `places` (in order) marked.
local function marked(text, start, places, as)
  local parts, from = {}, 1
  for _, place in ipairs(places) do
    local at = place - start + 1
    if at >= from and at <= #text then
      parts[#parts + 1] = string.sub(text, from, at - 1)
      parts[#parts + 1] = as
      from = at + 1
    end
  end
  if from == 1 then
    return text
  end
  parts[#parts + 1] = string.sub(text, from)
  return table.concat(parts)
end

local row_count, row_pieces = nil, {}

local function count_rows()
  row_count = row_count or redis.call('STRLEN', ROWS) / ROW_SIZE
  return row_count
end

local function unpack_row(format, index)
  local nth = index % ROWS_AT_ONCE
  local first = index - nth
  local piece = row_pieces[first]
  if not piece then
    piece = redis.call('GETRANGE', ROWS, first * ROW_SIZE, (first + ROWS_AT_ONCE) * ROW_SIZE - 1)
    row_pieces[first] = piece
  end
  return struct.unpack(format, piece, nth * ROW_SIZE + 1)
end

-- Start, length, twice the middle, section, and the neighbours (index + 1, or 0) of the row at `index`.
local function row_at(index)
  return unpack_row('>I4I4I4I4I4I4', index)
end

-- The row that has `place`, a place of a numbered seat.
local function row_of(place)
  local low, high = 0, count_rows() - 1
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if unpack_row('>I4', middle) <= place then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

-- The keys of the numbered seats at `places` (in order), and their sections. All rows that have them are read at once:
-- a hundred seats may be of a hundred rows, mostly one behind the other.
local function seats_at(places)
  local indexes, nth, offsets, sections = {}, {}, {}, {}
  local index, start, past, section, count = -1, 0, 0, nil, count_rows()
  for i, place in ipairs(places) do
    if place >= past then
      index = index + 1
      local length, _
      if index < count then
        start, length, _, section = row_at(index)
      end
      if not length or place < start or place >= start + length then
        index = row_of(place)
        start, length, _, section = row_at(index)
      end
      past = start + length
      indexes[#indexes + 1] = '#' .. index
    end
    nth[i], offsets[i], sections[i] = #indexes, place - start, section
  end
  local names, keys = read_layout(indexes), {}
  local texts = read_layout(names)
  for i, offset in ipairs(offsets) do
    keys[i] = key_at(names[nth[i]], texts[nth[i]], offset)
  end
  return keys, sections
end

-- A text that has the places of a row and what ends it, and the place that stands before the text: the map itself, once
-- many rows are looked at.
local whole_map, texts_read = nil, 0
local function text_with(start, length)
  if whole_map then
    return whole_map, -1
  end
  texts_read = texts_read + 1
  if texts_read > ROWS_BY_THEMSELVES then
    whole_map = marked(redis.call('GET', MAP), 0, lapsed_places, FREE)
    return whole_map, -1
  end
  return marked(redis.call('GETRANGE', MAP, start, start + length), start, lapsed_places, FREE), start - 1
end

-- The same and nothing else.
local function text_of(start, length)
  local text, base = text_with(start, length)
  return string.sub(text, start - base, start - base + length)
end

-- The runs, with those of rows unknown that lapsed holds have seats in.
local runs = nil
local function read_runs()
  if not runs then
    local places = {}
    for index in pairs(lapsed_rows) do
      places[#places + 1] = index
    end
    table.sort(places)
    runs = marked(redis.call('GET', RUNS), 0, places, UNKNOWN)
  end
  return runs
end

-- Walks over the rows that may be chosen from and may have a run of `run` free seats, the best first: each time the
-- row's index, start, length and twice its middle.
local function rows_with(run, sections)
  local next_at = string.gmatch(read_runs(), '()[' .. string.char(128 + math.min(run, 127)) .. '-\255]')
  return function()
    for at in next_at do
      local start, length, middle, section = row_at(at - 1)
      if string.byte(sections, section + 1) == 49 then
        return at - 1, start, length, middle
      end
    end
  end
end

-- Walks over the rows that may be chosen from and may have a free seat, the best first: each time index and length. A
-- second walk finds what the first one found.
local indexes, lengths, next_row = {}, {}, nil
local function rows_with_any(sections)
  local nth = 0
  return function()
    nth = nth + 1
    if not indexes[nth] then
      next_row = next_row or rows_with(1, sections)
      local index, _, length = next_row()
      indexes[nth], lengths[nth] = index, length
    end
    return indexes[nth], lengths[nth]
  end
end

-- Notes the longest run of a row, unless lapsed holds make it longer than it will be. Those of rows that follow each other
-- are written at once: `write_corrections` ends a search.
local corrections, first_corrected = {}, nil
local function write_corrections()
  if first_corrected then
    redis.call('SETRANGE', RUNS, first_corrected, table.concat(corrections))
    corrections, first_corrected = {}, nil
  end
end

local function correct(index, longest)
  if lapsed_rows[index] then
    return
  end
  if first_corrected and index ~= first_corrected + #corrections then
    write_corrections()
  end
  first_corrected = first_corrected or index
  corrections[#corrections + 1] = string.char(128 + math.min(longest, 127))
end

-- Adds the free places of a row to `found`.
local function add_free_places(found, start, length)
  local text, base = text_with(start, length)
  local count, past = #found, start - base + length
  local at = string.find(text, FREE, start - base, true)
  while at and at < past do
    count = count + 1
    found[count] = at + base
    at = string.find(text, FREE, at + 1, true)
  end
  return found
end

-- How many seats of the row at `index` are free; where it has any, the row before and the one behind are then known.
-- Where they are many, what is not free is cut out and the rest measured.
local free_counts, row_before, row_behind = {}, {}, {}
local function count_free(index)
  local free = free_counts[index]
  if free then
    return free
  end
  free = 0
  if string.byte(runs, index + 1) ~= 128 then
    local start, length, _, _, before, behind = row_at(index)
    local text, base = text_with(start, length)
    local past = start - base + length
    local at = string.find(text, FREE, start - base, true)
    while at and at < past do
      if free == FEW then
        free = free + #string.gsub(string.sub(text, at, past - 1), '[^.]+', '')
        break
      end
      free = free + 1
      at = string.find(text, FREE, at + 1, true)
    end
    row_before[index], row_behind[index] = before, behind
    if free == 0 then
      correct(index, 0)
    end
  end
  free_counts[index] = free
  return free
end
