-- Forgets a SeatingEvent for good, unless events wait in its outbox.
--
-- KEYS  those of lib/head.lua
-- ARGV  1 the run id of this server, as its connection knows it
-- Returns 1, 0 while events wait, or the error RECOVERING (I7)
local revision, sequence, published, run_id =
  unpack(redis.call('HMGET', KEYS[1], 'revision', 'sequence', 'published', 'runId'))
if revision and run_id ~= ARGV[1] then
  return redis.error_reply('RECOVERING seats are being read back from the log')
end
if tonumber(sequence or 0) > tonumber(published or 0) then
  return 0
end
redis.call('UNLINK', unpack(KEYS))
return 1
