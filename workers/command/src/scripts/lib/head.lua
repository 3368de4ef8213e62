-- What every script of a SeatingEvent begins with: names for KEYS and for the ARGV that all have, and the head of the
-- SeatingEvent.
--
-- KEYS  1 meta  2 seats  3 holds  4 reservations  5 users  6 deadlines  7 outbox  8 map  9 rows  10 layout
--       11 runs  12 the answer that is stored under the caller's idempotency key, where it has one
-- ARGV  1 the command's id  2 its correlation id  3 who acts, or ''  4 its traceparent, or ''
--       5 the signals' channel  6 the SeatingEvent's id  7 fingerprint of what is asked, or ''
--       from 8 on (OWN): the command's own
local META, SEATS, HOLDS, RESERVATIONS, USERS, DEADLINES, OUTBOX, MAP, ROWS, LAYOUT, RUNS, ANSWER =
  unpack(KEYS)
local COMMAND, CORRELATION, ACTOR, TRACE, CHANNEL, EVENT, FINGERPRINT = unpack(ARGV, 1, 7)
local OWN = 8
local NOW = now()

-- The same key again: the stored answer, if the same is asked for.
if ANSWER then
  local stored = redis.call('GET', ANSWER)
  if stored then
    return repeated(stored, FINGERPRINT)
  end
end

local head = redis.call('HMGET', META, 'revision', 'sequence', 'published', 'held', 'reserved', 'blocked')

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
