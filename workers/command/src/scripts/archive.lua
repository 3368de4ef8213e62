-- Leaves of a SeatingEvent that is over what lists and an equal definition need, and where its snapshot is: all else is in
-- that. It has no history then, so every command meets the fence (I7) until it is recovered from there. Nothing is done
-- where it is not what the snapshot was made of, where something waits to be published, or where time may still do
-- something to it: a hold is live or remembered, a seat map is wanted that was refused.
--
-- KEYS of a SeatingEvent; ARGV: Archiving (store/redis/wire/args.rs)
-- Returns 1, 0 where nothing was done, or the error of the fence (lib/history.lua)
--
-- include: stub
local revision, sequence, published, recovered, wants =
  unpack(redis.call('HMGET', META, 'revision', 'sequence', 'published', 'history', 'wants'))
local behind = fence(HISTORY, sequence, recovered)
if behind then
  return behind
end
if revision ~= REVISION or sequence ~= SEQUENCE or published ~= sequence or wants or now() < tonumber(OVER_AT)
  or redis.call('XLEN', OUTBOX) > 0 or redis.call('EXISTS', DEADLINES) == 1 then
  return 0
end
forget_all({'sequence', 'published', 'partition', 'format', 'offset', 'time', 'revision', 'closed', 'total', 'held',
  'reserved', 'blocked'})
redis.call('UNLINK', OUTBOX)
redis.call('HSET', META, 'archived', SNAPSHOT, 'chart', CHART, 'digest', DIGEST)
return 1
