-- State and domain event in one step (I2): `append` gives an event the next sequence (I3) and puts it in the outbox as
-- entry <sequence>-0, `commit` ends every script that appended. store/redis/entry.rs reads entries back.
local before = event.sequence

-- Appends an event of type `kind`. `entry` has what only this type has; what all have is added. The entry is one field
-- of JSON: a field each would cost Redis and the relay several times as much.
local function append(kind, correlation, actor, entry)
  entry.type, entry.index, entry.at = kind, event.sequence - before, NOW
  entry.causation, entry.correlation = COMMAND, correlation
  if actor ~= '' then
    entry.user = actor
  end
  if TRACE ~= '' then
    entry.trace = TRACE
  end
  event.sequence = event.sequence + 1
  redis.call('XADD', OUTBOX, string.format('%.0f-0', event.sequence), 'event', cjson.encode(entry))
end

-- Answers a command that was carried out. With an idempotency key what came of it is stored in the same step; refusals
-- are not, they are evaluated again.
local function done(words)
  local text = outcome(event.sequence > before, words)
  if ANSWER then
    redis.call('SET', ANSWER, FINGERPRINT .. '\n' .. text, 'EX', ANSWER_MEMORY)
  end
  return 'done\n' .. text
end

-- Writes the head, and wakes the relay where the outbox was empty (else it is at work already).
local function commit()
  redis.call('HSET', META, 'sequence', event.sequence, 'held', event.held, 'reserved', event.reserved,
    'blocked', event.blocked)
  if before == event.published then
    redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT)
  end
end
