-- Forgets a SeatingEvent for good, unless events wait in its outbox.
--
-- KEYS of a SeatingEvent; ARGV: Purging (store/redis/wire/args.rs)
-- Returns 1, 0 while events wait, or the error of the fence (lib/history.lua)
local revision, sequence, published, recovered =
  unpack(redis.call('HMGET', META, 'revision', 'sequence', 'published', 'history'))
local behind = fence(HISTORY, revision, recovered)
if behind then
  return behind
end
if tonumber(sequence or 0) > tonumber(published or 0) then
  return 0
end
redis.call('UNLINK', unpack(KEYS))
return 1
