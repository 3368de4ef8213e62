-- What stays in meta of a SeatingEvent whose seats go. Of one that is purged its place on the log, so that one of the same id
-- that is created later goes on with the next sequence, on the same partition (I3, I4).
local outlives_a_purge = {'sequence', 'published', 'partition', 'history', 'format', 'offset', 'time', 'dropped',
  'last'}

-- Removes everything but what waits to be published and the fields of meta that outlive it. These are written anew: a hash that
-- had long values once takes several times as much.
local function forget_all(outlives)
  outlives = outlives or outlives_a_purge
  local kept = {}
  for i, value in ipairs(redis.call('HMGET', META, unpack(outlives))) do
    if value then
      kept[#kept + 1] = outlives[i]
      kept[#kept + 1] = value
    end
  end
  redis.call('UNLINK', META, SEATS, HOLDS, RESERVATIONS, USERS, DEADLINES, MAP, ROWS, LAYOUT, RUNS)
  if #kept > 0 then
    redis.call('HSET', META, unpack(kept))
  end
end
