-- Advances and announces the published watermark, never back, and trims the outbox up to it. A relay whose lease a
-- later one has followed is refused: its token is lower than one that has been seen here.
--
-- KEYS meta and outbox; ARGV: Publishing (store/redis/wire/args.rs)
-- Returns how many events still wait, nil where a later lease has spoken, or the error of the fence (lib/history.lua)
local sequence, published, token, recovered =
  unpack(redis.call('HMGET', META, 'sequence', 'published', 'relayToken', 'history'))
local behind = fence(HISTORY, sequence, recovered)
if behind then
  return behind
end
if not sequence then
  return 0
end
if tonumber(token or 0) > tonumber(TOKEN) then
  return nil
end
local upto = math.min(tonumber(UPTO), tonumber(sequence))
published = tonumber(published or 0)
if upto > published then
  published = upto
  redis.call('XTRIM', OUTBOX, 'MINID', string.format('%.0f', upto + 1))
  redis.call('PUBLISH', CHANNEL, string.format('published %s %.0f %s', EVENT, upto, HISTORY))
end
redis.call('HSET', META, 'published', published, 'relayToken', TOKEN)
return tonumber(sequence) - published
