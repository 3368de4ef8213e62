-- Chooses seats on the map, as boxoffice_domain::choose does (I10). `sections` has a '1' for every section, by index,
-- that may be chosen from. A row's text is its piece of the map with the '|' behind it; positions in it count from 1.
-- A choice takes a number of steps that grows with the rows, not with their square: each row is read once a stage.
--
-- `runs` has a byte a row of numbered seats: 128 + the longest run of free seats that the row may have, at most 127.
-- A row that has lost seats may have less than it says and is corrected by whoever looks; one that got seats back says
-- UNKNOWN. So the rows that are not worth a look are passed over in one search.

-- Most lapsed holds whose seats count as free before the sweeper has released them, and most seats of them.
local MOST_LAPSED, MOST_LAPSED_SEATS = 256, 2048
-- Rows that are read at once, and places of an area.
local ROWS_AT_ONCE, PLACES_AT_ONCE = 64, 4096
-- Rows whose text is read one by one, before the whole map is.
local ROWS_BY_THEMSELVES = 16
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
  local piece = math.floor(index / ROWS_AT_ONCE)
  if not row_pieces[piece] then
    local size = ROWS_AT_ONCE * ROW_SIZE
    row_pieces[piece] = redis.call('GETRANGE', ROWS, piece * size, (piece + 1) * size - 1)
  end
  return struct.unpack(format, row_pieces[piece], index % ROWS_AT_ONCE * ROW_SIZE + 1)
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

local function has(index, place)
  local start, length = row_at(index)
  return place >= start and place < start + length
end

-- The key of the numbered seat at `place`, and its section. Chosen seats are mostly of one row, which is kept, or of one
-- behind the other.
local seat_row = nil
local function seat_at(place)
  if not seat_row or place < seat_row.start or place >= seat_row.start + seat_row.length then
    local index = seat_row and seat_row.index + 1
    if not index or index >= count_rows() or not has(index, place) then
      index = row_of(place)
    end
    seat_row = row_called(redis.call('HGET', LAYOUT, string.format('#%.0f', index)))
    seat_row.section = select(4, row_at(index))
  end
  return key_in(seat_row, place), seat_row.section
end

-- The map itself, once many rows are looked at.
local whole_map = nil
local function read_whole_map()
  whole_map = whole_map or marked(redis.call('GET', MAP), 0, lapsed_places, FREE)
end

local texts_read = 0
local function text_of(start, length)
  texts_read = texts_read + 1
  if texts_read > ROWS_BY_THEMSELVES then
    read_whole_map()
  end
  if whole_map then
    return string.sub(whole_map, start + 1, start + length + 1)
  end
  return marked(redis.call('GETRANGE', MAP, start, start + length), start, lapsed_places, FREE)
end

-- Walks over the rows that may be chosen from and may have a run of `run` free seats, the best first: each time the
-- row's index, start, length and twice its middle.
local runs = nil
local function rows_with(run, sections)
  if not runs then
    runs = redis.call('GET', RUNS)
    local places = {}
    for index in pairs(lapsed_rows) do
      places[#places + 1] = index
    end
    table.sort(places)
    runs = marked(runs, 0, places, UNKNOWN)
  end
  local pattern, from = '[' .. string.char(128 + math.min(run, 127)) .. '-\255]', 1
  return function()
    while true do
      local at = string.find(runs, pattern, from)
      if not at then
        return nil
      end
      from = at + 1
      local start, length, middle, section = row_at(at - 1)
      if string.byte(sections, section + 1) == 49 then
        return at - 1, start, length, middle
      end
    end
  end
end

-- Notes the longest run of a row, unless lapsed holds make it longer than it will be.
local function correct(index, longest)
  if not lapsed_rows[index] then
    redis.call('SETRANGE', RUNS, index, string.char(128 + math.min(longest, 127)))
  end
end

-- The free places of a row.
local function free_places(start, length)
  local text, found = text_of(start, length), {}
  local at = string.find(text, FREE, 1, true)
  while at do
    found[#found + 1] = start + at - 1
    at = string.find(text, FREE, at + 1, true)
  end
  return found
end

-- At most `quantity` of `places` of a row, those nearest to its middle.
local function nearest_to_the_middle(places, start, middle, quantity)
  table.sort(places, function(a, b)
    local from_a, from_b = math.abs(2 * (a - start) - middle), math.abs(2 * (b - start) - middle)
    if from_a ~= from_b then
      return from_a < from_b
    end
    return a < b
  end)
  local nearest = {}
  for i = 1, math.min(quantity, #places) do
    nearest[i] = places[i]
  end
  return nearest
end

-- Of a row: the first place of the best window that leaves no single seat behind, that of the best of all, or nils;
-- and the longest run.
local function windows(start, length, middle, quantity)
  local text = text_of(start, length)
  local tidy, tidy_off, any, any_off
  local longest = 0
  local from = string.find(text, FREE, 1, true)
  while from do
    local past = string.find(text, '[^.]', from)
    longest = math.max(longest, past - from)
    for first = from, past - quantity do
      local off = math.abs(2 * (first - 1) + quantity - 1 - middle)
      if not any or off < any_off then
        any, any_off = start + first - 1, off
      end
      if first - from ~= 1 and past - first - quantity ~= 1 and (not tidy or off < tidy_off) then
        tidy, tidy_off = start + first - 1, off
      end
    end
    from = string.find(text, FREE, past, true)
  end
  return tidy, any, longest
end

local function whole(first, quantity)
  local places = {}
  for i = 1, quantity do
    places[i] = first + i - 1
  end
  return places
end

local function adjacent(quantity, sections, gaps)
  local with_a_gap
  for index, start, length, middle in rows_with(quantity, sections) do
    local tidy, any, longest = windows(start, length, middle, quantity)
    if gaps == 'off' then
      tidy = any
    end
    if tidy then
      return whole(tidy, quantity)
    end
    if not any then
      correct(index, longest)
    end
    with_a_gap = with_a_gap or any
  end
  return with_a_gap and whole(with_a_gap, quantity)
end

-- How many seats of the row at `index` are free.
local free_counts = {}
local function count_free(index)
  if not free_counts[index] then
    if string.byte(runs, index + 1) == 128 then
      free_counts[index] = 0
    else
      local _, free = string.gsub(text_of(row_at(index)), '%.', '')
      free_counts[index] = free
      if free == 0 then
        correct(index, 0)
      end
    end
  end
  return free_counts[index]
end

local function of_one_row(quantity, sections)
  for index, start, length, middle in rows_with(1, sections) do
    if length >= quantity and count_free(index) >= quantity then
      return nearest_to_the_middle(free_places(start, length), start, middle, quantity)
    end
  end
end

-- Whether the row at `index` and those around it, up to ones that have nothing, have `quantity` free seats. Where they
-- do not, none of them has to be asked again: they are noted in `in_vain`.
local function are_enough(index, quantity, in_vain)
  local free, met = count_free(index), {index}
  for side = 5, 6 do
    local next_row = select(side, row_at(index))
    while next_row > 0 and free < quantity and count_free(next_row - 1) > 0 do
      free = free + count_free(next_row - 1)
      met[#met + 1] = next_row - 1
      next_row = select(side, row_at(next_row - 1))
    end
  end
  if free < quantity then
    for _, row in ipairs(met) do
      in_vain[row] = true
    end
  end
  return free >= quantity
end

-- Around the row at `index` as many rows as it takes: of the two at the edges the better one next, and none that has
-- nothing.
local function around(index, quantity)
  local start, length, _, _, before, behind = row_at(index)
  local chosen, edges = free_places(start, length), {before, behind}
  while #chosen < quantity do
    local side, best
    for i = 1, 2 do
      if edges[i] > 0 and (not best or edges[i] < best) and count_free(edges[i] - 1) > 0 then
        side, best = i, edges[i]
      end
    end
    local first, width, middle, _, next_before, next_behind = row_at(best - 1)
    local places = free_places(first, width)
    for _, place in ipairs(nearest_to_the_middle(places, first, middle, quantity - #chosen)) do
      chosen[#chosen + 1] = place
    end
    edges[side] = side == 1 and next_before or next_behind
  end
  return chosen
end

local function of_adjacent_rows(quantity, sections)
  local in_vain = {}
  for index in rows_with(1, sections) do
    if not in_vain[index] and are_enough(index, quantity, in_vain) then
      return around(index, quantity)
    end
  end
end

-- The `quantity` best places in the order of the map; or nil where there are not so many together. `together` says
-- whether nothing but neighbours will do: required, preferred.
local function best_places(quantity, sections, gaps, together)
  local chosen = adjacent(quantity, sections, gaps)
  if not chosen and quantity > 1 and together ~= 'required' then
    read_whole_map()
    chosen = of_one_row(quantity, sections) or of_adjacent_rows(quantity, sections)
  end
  if chosen then
    table.sort(chosen)
  end
  return chosen
end

-- How many numbered seats are free.
local function available(sections)
  read_whole_map()
  local free = 0
  for index in rows_with(1, sections) do
    free = free + count_free(index)
  end
  return free
end

-- The first free places of the area `row` but for `taken` (in order), at most `quantity`.
local function units(row, quantity, taken)
  local found = {}
  for from = row.start, row.start + row.length - 1, PLACES_AT_ONCE do
    local length = math.min(PLACES_AT_ONCE, row.start + row.length - from)
    local text = marked(text_of(from, length - 1), from, taken, TAKEN)
    local at = string.find(text, FREE, 1, true)
    while at and #found < quantity do
      found[#found + 1] = from + at - 1
      at = string.find(text, FREE, at + 1, true)
    end
    if #found >= quantity then
      break
    end
  end
  return found
end

-- Whether the position is free and those on both sides are not.
local function is_single(text, at)
  return string.sub(text, at, at) == FREE and string.sub(text, at - 1, at - 1) ~= FREE
    and string.sub(text, at + 1, at + 1) ~= FREE
end

-- The single seats that taking `places` (in order) leaves behind although another choice of as many in the same run
-- would not, in the order of the map.
local function avoidable_gaps(places)
  local gaps, seen, last = {}, {}, count_rows() - 1
  if last < 0 then
    return gaps
  end
  for _, place in ipairs(places) do
    local index = row_of(place)
    local start, length = row_at(index)
    if not seen[index] and place < start + length then
      seen[index] = true
      local before = text_of(start, length)
      local after = marked(before, start, places, TAKEN)
      local from = string.find(before, FREE, 1, true)
      while from do
        local past = string.find(before, '[^.]', from)
        local _, left = string.gsub(string.sub(after, from, past - 1), '%.', '')
        if left ~= past - from and left ~= 1 then
          for at = from, past - 1 do
            if is_single(after, at) then
              gaps[#gaps + 1] = start + at - 1
            end
          end
        end
        from = string.find(before, FREE, past, true)
      end
    end
  end
  return gaps
end
