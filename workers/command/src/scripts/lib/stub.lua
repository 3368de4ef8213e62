-- What stays of a SeatingEvent whose seats go. Of one that is purged its place on the log, so that one of the same id that
-- is created later goes on with the next sequence, on the same partition (I3, I4).
local outlives_a_purge = {sequence = true, published = true, partition = true, history = true, format = true,
  offset = true, time = true}

-- Removes everything but what waits to be published and the fields of meta that outlive it.
local function forget_all(outlives)
  outlives = outlives or outlives_a_purge
  redis.call('UNLINK', SEATS, HOLDS, RESERVATIONS, USERS, DEADLINES, MAP, ROWS, LAYOUT, RUNS)
  for _, field in ipairs(redis.call('HKEYS', META)) do
    if not outlives[field] then
      redis.call('HDEL', META, field)
    end
  end
end
