-- What every script of a SeatingEvent begins with: names for the ARGV that all have, the head of the SeatingEvent, and
-- the fence of I7: a server that has not been recovered since it began anew answers RECOVERING.
--
-- KEYS  lib/keys.lua, then 12 the answer that is stored under the caller's idempotency key, where it has one
-- ARGV  1 the command's id  2 its correlation id  3 who acts, or ''  4 its traceparent, or ''
--       5 the signals' channel  6 the SeatingEvent's id  7 the history of this server, as its connection knows it
--       8 fingerprint of what is asked, or ''; from 9 on (OWN): the command's own
local ANSWER = KEYS[12]
local COMMAND, CORRELATION, ACTOR, TRACE, CHANNEL, EVENT, HISTORY, FINGERPRINT = unpack(ARGV, 1, 8)
local OWN = 9
local NOW = now()

local head = redis.call('HMGET', META, 'revision', 'sequence', 'published', 'held', 'reserved', 'blocked', 'history')
-- Whether a SeatingEvent that is not here was ever there, the worker finds out.
local behind = fence(HISTORY, head[1], head[7])
if behind then
  return behind
end

-- The same key again: the stored answer, if the same is asked for.
if ANSWER then
  local stored = redis.call('GET', ANSWER)
  if stored then
    return repeated(stored, FINGERPRINT)
  end
end

-- `revision` is the id of the command that wrote the definition, false where there is no such SeatingEvent. Scripts
-- change the other numbers here and `commit` writes them.
local event = {
  revision = head[1],
  sequence = tonumber(head[2] or 0),
  published = tonumber(head[3] or 0),
  held = tonumber(head[4] or 0),
  reserved = tonumber(head[5] or 0),
  blocked = tonumber(head[6] or 0),
}

-- What came of a command: its chain, whether it changed anything, and the answer.
local function outcome(changed, words)
  return CORRELATION .. '\n' .. (changed and 'changed' or 'unchanged') .. '\n' .. reply(words)
end
