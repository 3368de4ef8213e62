-- State and domain event in one step (I2): `append` gives an event the next sequence (I3) and puts it in the outbox as
-- entry <sequence>-0, `commit` ends every script that appended. store/redis/entry.rs reads entries back.
local before = event.sequence

-- Appends an event of type `kind`. `fields` is a list of names and values that only this type has.
local function append(kind, correlation, actor, fields)
  local entry = {'type', kind, 'index', event.sequence - before, 'at', NOW, 'causation', COMMAND,
    'correlation', correlation}
  if actor ~= '' then
    entry[#entry + 1] = 'user'
    entry[#entry + 1] = actor
  end
  if TRACE ~= '' then
    entry[#entry + 1] = 'trace'
    entry[#entry + 1] = TRACE
  end
  for _, field in ipairs(fields) do
    entry[#entry + 1] = field
  end
  event.sequence = event.sequence + 1
  redis.call('XADD', OUTBOX, string.format('%.0f-0', event.sequence), unpack(entry))
end

-- Answers a command that was carried out. With an idempotency key the answer is stored in the same step; refusals are
-- not, they are evaluated again.
local function done(reply)
  if ANSWER then
    redis.call('SET', ANSWER, FINGERPRINT .. '\n' .. table.concat(reply, '\n'), 'EX', ANSWER_MEMORY)
  end
  return reply
end

-- Writes the head, and wakes the relay where the outbox was empty (else it is at work already).
local function commit()
  redis.call('HSET', META, 'sequence', event.sequence, 'held', event.held, 'reserved', event.reserved,
    'blocked', event.blocked)
  if before == event.published then
    redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT)
  end
end
