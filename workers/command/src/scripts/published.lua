-- Advances and announces the published watermark, never back, and trims the outbox up to it. A relay whose lease a
-- later one has followed is refused: its token is lower than one that has been seen here.
--
-- KEYS  1 meta  2 outbox
-- ARGV  1 token of the lease  2 sequence up to which events are published  3 the signals' channel
--       4 the SeatingEvent's id  5 the history of this server, as its connection knows it
-- Returns how many events still wait, nil where a later lease has spoken, or the error of the fence (lib/history.lua)
local sequence, published, token, recovered =
  unpack(redis.call('HMGET', KEYS[1], 'sequence', 'published', 'relayToken', 'history'))
local behind = fence(ARGV[5], sequence, recovered)
if behind then
  return behind
end
if not sequence then
  return 0
end
if tonumber(token or 0) > tonumber(ARGV[1]) then
  return nil
end
local upto = math.min(tonumber(ARGV[2]), tonumber(sequence))
published = tonumber(published or 0)
if upto > published then
  published = upto
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', upto + 1))
  redis.call('PUBLISH', ARGV[3], string.format('published %s %.0f %s', ARGV[4], upto, ARGV[5]))
end
redis.call('HSET', KEYS[1], 'published', published, 'relayToken', ARGV[1])
return tonumber(sequence) - published
