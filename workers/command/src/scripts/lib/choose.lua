-- Chooses seats on the map (lib/rows.lua), as boxoffice_domain::choose does (I10). A choice takes a number of steps that
-- grows with the rows, not with their square: each row is read once a stage.
local best_places, available, units, avoidable_gaps
-- A script has room for two hundred names, so what only these use has its names among them.
do
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
  -- and the longest run. In a run the best window is the one around the middle, and where that one leaves a single seat,
  -- one that begins next to it does not, if any does.
  local function windows(start, length, middle, quantity)
    local text, base = text_with(start, length)
    local past_row, centre = start - base + length, start - base + math.floor((middle - quantity + 1) / 2)
    local tidy, tidy_off, any, any_off
    local longest = 0
    local from = string.find(text, FREE, start - base, true)
    while from and from < past_row do
      local past = string.find(text, '[^.]', from)
      if past - from > longest then
        longest = past - from
      end
      local last = past - quantity
      local nearest = math.max(math.min(centre, last), from)
      for first = math.max(nearest - 2, from), math.min(nearest + 2, last) do
        local off = math.abs(2 * (first + base - start) + quantity - 1 - middle)
        if not any or off < any_off then
          any, any_off = first + base, off
        end
        if first - from ~= 1 and last - first ~= 1 and (not tidy or off < tidy_off) then
          tidy, tidy_off = first + base, off
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
      local tidy, any, longest = nil, nil, length
      if length >= quantity then
        tidy, any, longest = windows(start, length, middle, quantity)
      end
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

  local function of_one_row(quantity, sections)
    for index, length in rows_with_any(sections) do
      if length >= quantity and count_free(index) >= quantity then
        local start, _, middle = row_at(index)
        return nearest_to_the_middle(add_free_places({}, start, length), start, middle, quantity)
      end
    end
  end

  -- Whether the row at `index` and those around it, up to ones that have nothing, have `quantity` free seats. Where they
  -- do not, none of them has to be asked again: they are noted in `in_vain`.
  local function are_enough(index, quantity, in_vain)
    local free = count_free(index)
    if free == 0 then
      return false
    end
    for side = 1, 2 do
      local beyond = side == 1 and row_before or row_behind
      local next_row = beyond[index]
      while next_row > 0 and free < quantity do
        local more = count_free(next_row - 1)
        if more == 0 then
          break
        end
        free = free + more
        in_vain[next_row - 1] = true
        next_row = beyond[next_row - 1]
      end
    end
    return free >= quantity
  end

  -- Around the row at `index` as many rows as it takes: of the two at the edges the better one next, and none that has
  -- nothing.
  local function around(index, quantity)
    local chosen, edges = add_free_places({}, row_at(index)), {row_before[index], row_behind[index]}
    while #chosen < quantity do
      local side, best
      for i = 1, 2 do
        if edges[i] > 0 and (not best or edges[i] < best) and count_free(edges[i] - 1) > 0 then
          side, best = i, edges[i]
        end
      end
      best = best - 1
      local start, length, middle = row_at(best)
      if #chosen + count_free(best) <= quantity then
        add_free_places(chosen, start, length)
      else
        local places = add_free_places({}, start, length)
        for _, place in ipairs(nearest_to_the_middle(places, start, middle, quantity - #chosen)) do
          chosen[#chosen + 1] = place
        end
      end
      edges[side] = (side == 1 and row_before or row_behind)[best]
    end
    return chosen
  end

  local function of_adjacent_rows(quantity, sections)
    local in_vain = {}
    for index in rows_with_any(sections) do
      if not in_vain[index] and are_enough(index, quantity, in_vain) then
        return around(index, quantity)
      end
    end
  end

  -- The `quantity` best places in the order of the map; or nil where there are not so many together. `together` says
  -- whether nothing but neighbours will do: required, preferred.
  function best_places(quantity, sections, gaps, together)
    local chosen = adjacent(quantity, sections, gaps)
    if not chosen and quantity > 1 and together ~= 'required' then
      chosen = of_one_row(quantity, sections) or of_adjacent_rows(quantity, sections)
    end
    write_corrections()
    if chosen then
      table.sort(chosen)
    end
    return chosen
  end

  -- How many numbered seats are free.
  function available(sections)
    local free = 0
    for index in rows_with_any(sections) do
      free = free + count_free(index)
    end
    write_corrections()
    return free
  end

  -- The first free places of the area `row` but for `taken` (in order), at most `quantity`.
  function units(row, quantity, taken)
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
  function avoidable_gaps(places)
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
end
