-- Chooses seats on the map, as boxoffice_domain::choose does (I10). Positions in `map` count from 1, places from 0.
-- `sections` has a '1' for every section, by index, that may be chosen from.

-- Most lapsed holds whose seats count as free before the sweeper has released them.
local MOST_LAPSED = 256

-- `map` with `places` marked.
local function marked(map, places, as)
  if #places == 0 then
    return map
  end
  table.sort(places)
  local parts, from = {}, 1
  for _, place in ipairs(places) do
    if place + 1 >= from then
      parts[#parts + 1] = string.sub(map, from, place)
      parts[#parts + 1] = as
      from = place + 2
    end
  end
  parts[#parts + 1] = string.sub(map, from)
  return table.concat(parts)
end

-- The map on which the seats of lapsed holds are free.
local function read_map()
  local freed = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'LIMIT', 0, MOST_LAPSED)) do
    local hold = read_hold(id)
    if hold and hold.status == 'A' then
      for _, place in ipairs(places_of(hold.seats)) do
        freed[#freed + 1] = place
      end
    end
  end
  return marked(redis.call('GET', MAP), freed, FREE)
end

local ROW_SIZE = 24
local rows = nil

local function row_count()
  rows = rows or redis.call('GET', ROWS)
  return #rows / ROW_SIZE
end

-- Start, length, twice the middle, section, and the neighbours (index + 1, or 0) of the row at `index`.
local function row_at(index)
  return struct.unpack('>I4I4I4I4I4I4', rows, index * ROW_SIZE + 1)
end

-- The row that has `place`, for places of numbered seats.
local function row_of(place)
  local low, high = 0, row_count() - 1
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if row_at(middle) <= place then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

-- The key of the seat at `place` of `row`, a row as lib/map.lua has it.
local function key_in(row, place)
  local nth = place - row.start
  if row.first then
    return string.format('%s-%.0f', row.name, row.first + nth * row.step)
  end
  for number in string.gmatch(row.numbers, '[^,]+') do
    if nth == 0 then
      return row.name .. '-' .. number
    end
    nth = nth - 1
  end
end

-- The key of the numbered seat at `place`, and its section. Chosen seats are mostly of one row, which is kept.
local seat_row = nil
local function seat_at(place)
  if not seat_row or place < seat_row.start or place >= seat_row.start + seat_row.length then
    local index = row_of(place)
    seat_row = row_called(redis.call('HGET', LAYOUT, string.format('#%.0f', index)))
    seat_row.section = select(4, row_at(index))
  end
  return key_in(seat_row, place), seat_row.section
end

-- Walks over the rows that may be chosen from and have `pattern` on the map, the best first: each time row index,
-- start, length and twice the middle.
local function rows_with(map, pattern, sections)
  local index, from, count = -1, 1, row_count()
  local start, length, middle, section = 0, -1, 0, 0
  return function()
    while true do
      local at = string.find(map, pattern, from, true)
      if not at then
        return nil
      end
      while at > start + length do
        index = index + 1
        if index >= count then
          return nil
        end
        start, length, middle, section = row_at(index)
      end
      from = start + length + 2
      if string.byte(sections, section + 1) == 49 then
        return index, start, length, middle
      end
    end
  end
end

-- The free places of a row.
local function free_places(map, start, length)
  local found = {}
  local at = string.find(map, FREE, start + 1, true)
  while at and at <= start + length do
    found[#found + 1] = at - 1
    at = string.find(map, FREE, at + 1, true)
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

-- First places of the best window of a row that leaves no single seat behind, and of the best of all; or nils.
local function windows(map, start, length, middle, quantity)
  local tidy, tidy_off, any, any_off
  local from = string.find(map, FREE, start + 1, true)
  while from and from <= start + length do
    local past = string.find(map, '[^.]', from)
    for first = from, past - quantity do
      local off = math.abs(2 * (first - 1 - start) + quantity - 1 - middle)
      if not any or off < any_off then
        any, any_off = first - 1, off
      end
      if first - from ~= 1 and past - first - quantity ~= 1 and (not tidy or off < tidy_off) then
        tidy, tidy_off = first - 1, off
      end
    end
    from = string.find(map, FREE, past, true)
  end
  return tidy, any
end

local function whole(first, quantity)
  local places = {}
  for i = 1, quantity do
    places[i] = first + i - 1
  end
  return places
end

local function adjacent(map, quantity, sections, gaps)
  local with_a_gap
  for _, start, length, middle in rows_with(map, string.rep(FREE, quantity), sections) do
    local tidy, any = windows(map, start, length, middle, quantity)
    if gaps == 'off' then
      tidy = any
    end
    if tidy then
      return whole(tidy, quantity)
    end
    with_a_gap = with_a_gap or any
  end
  return with_a_gap and whole(with_a_gap, quantity)
end

local function of_one_row(map, quantity, sections)
  for _, start, length, middle in rows_with(map, FREE, sections) do
    local free = free_places(map, start, length)
    if #free >= quantity then
      return nearest_to_the_middle(free, start, middle, quantity)
    end
  end
end

-- Around each row as many rows as it takes: of the two at the edges the better one next, and none that has nothing.
local function of_adjacent_rows(map, quantity, sections)
  for index, first_start, first_length in rows_with(map, FREE, sections) do
    local chosen = free_places(map, first_start, first_length)
    local _, _, _, _, before, behind = row_at(index)
    local edges = {before, behind}
    while #chosen < quantity do
      local side, best
      for i = 1, 2 do
        if edges[i] > 0 and (not best or edges[i] < best) then
          local start, length = row_at(edges[i] - 1)
          local free = string.find(map, FREE, start + 1, true)
          if free and free <= start + length then
            side, best = i, edges[i]
          end
        end
      end
      if not best then
        break
      end
      local start, length, middle, _, next_before, next_behind = row_at(best - 1)
      local nearest = nearest_to_the_middle(free_places(map, start, length), start, middle, quantity - #chosen)
      for _, place in ipairs(nearest) do
        chosen[#chosen + 1] = place
      end
      edges[side] = side == 1 and next_before or next_behind
    end
    if #chosen >= quantity then
      return chosen
    end
  end
end

-- The `quantity` best places in the order of the map; or nil where there are not so many together.
local function best_places(map, quantity, sections, gaps)
  local chosen = adjacent(map, quantity, sections, gaps) or of_one_row(map, quantity, sections)
    or of_adjacent_rows(map, quantity, sections)
  if chosen then
    table.sort(chosen)
  end
  return chosen
end

-- How many numbered seats are free.
local function available(map, sections)
  local free = 0
  for _, start, length in rows_with(map, FREE, sections) do
    local _, of_row = string.gsub(string.sub(map, start + 1, start + length), '%.', '')
    free = free + of_row
  end
  return free
end

-- The first free places of the area `row`, at most `quantity`.
local function units(map, row, quantity)
  local found = {}
  local at = string.find(map, FREE, row.start + 1, true)
  while at and at <= row.start + row.length and #found < quantity do
    found[#found + 1] = at - 1
    at = string.find(map, FREE, at + 1, true)
  end
  return found
end

-- Whether the position is free and those on both sides are not.
local function is_single(map, at)
  return string.sub(map, at, at) == FREE and string.sub(map, at - 1, at - 1) ~= FREE
    and string.sub(map, at + 1, at + 1) ~= FREE
end

-- The single seats that taking `places` leaves behind although another choice of as many in the same run would not, in
-- the order of the map.
local function avoidable_gaps(map, places)
  local after, gaps, seen, in_order = marked(map, places, TAKEN), {}, {}, {}
  if row_count() == 0 then
    return gaps
  end
  for _, place in ipairs(places) do
    local index = row_of(place)
    local start, length = row_at(index)
    if not seen[index] and place < start + length then
      seen[index] = true
      in_order[#in_order + 1] = index
    end
  end
  table.sort(in_order)
  for _, index in ipairs(in_order) do
    local start, length = row_at(index)
    local from = string.find(map, FREE, start + 1, true)
    while from and from <= start + length do
      local past = string.find(map, '[^.]', from)
      local rest = string.sub(after, from, past - 1)
      local _, left = string.gsub(rest, '%.', '')
      if left ~= past - from and left ~= 1 then
        for at = from, past - 1 do
          if is_single(after, at) then
            gaps[#gaps + 1] = at - 1
          end
        end
      end
      from = string.find(map, FREE, past, true)
    end
  end
  return gaps
end
