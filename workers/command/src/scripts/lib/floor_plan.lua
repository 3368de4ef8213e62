-- Takes over a floor plan, in ARGV from `first` on: the map with everything free, the rows, then field and value of the
-- layout (lib/map.lua); and marks what is claimed or blocked.
local function lay_out(first)
  redis.call('SET', MAP, ARGV[first])
  redis.call('SET', ROWS, ARGV[first + 1])
  redis.call('SET', RUNS, string.rep(UNKNOWN, #ARGV[first + 1] / 24))
  redis.call('DEL', LAYOUT)
  for from = first + 2, #ARGV, 1000 do
    redis.call('HSET', LAYOUT, unpack(ARGV, from, math.min(from + 999, #ARGV)))
  end
  known_rows = {}
  local seats, places = redis.call('HGETALL', SEATS), {}
  for i = 1, #seats, 2 do
    if string.sub(seats[i + 1], 1, 1) ~= 'L' then
      places[#places + 1] = place_of(seats[i])
    end
  end
  table.sort(places)
  mark(places, TAKEN)
end
