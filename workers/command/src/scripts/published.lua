-- Advances and announces the published watermark, never back, trims the outbox up to it, and keeps where on the log
-- nothing more of the SeatingEvent is. Where something waits that is not published, only what advances moves that.
--
-- KEYS meta and outbox; ARGV: Publishing (store/redis/wire/args.rs)
-- Returns how many events still wait, or the error of the fence (lib/history.lua)
local sequence, published, recovered = unpack(redis.call('HMGET', META, 'sequence', 'published', 'history'))
local behind = fence(HISTORY, sequence, recovered)
if behind then
  return behind
end
if not sequence then
  return 0
end
local upto = math.min(tonumber(UPTO), tonumber(sequence))
published = tonumber(published or 0)
if upto > published then
  published = upto
  redis.call('XTRIM', OUTBOX, 'MINID', string.format('%d', upto + 1))
  redis.call('HSET', META, 'published', published, 'offset', OFFSET)
  redis.call('PUBLISH', CHANNEL, string.format('published %s %d %s', EVENT, upto, HISTORY))
elseif published == tonumber(sequence) then
  redis.call('HSET', META, 'offset', OFFSET)
end
return tonumber(sequence) - published
