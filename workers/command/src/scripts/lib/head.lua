-- What every script of a SeatingEvent begins with: the fence of I7 (a server that has not been recovered since it began
-- anew, or that has records of another version, answers RECOVERING), the head of the SeatingEvent, its time, and the answer that a repeated command had.
-- Whether a SeatingEvent that is not here was ever there, the worker finds out.
local head = redis.call('HMGET', META, 'revision', 'sequence', 'published', 'held', 'reserved', 'blocked', 'history',
  'format', 'time', 'wants', 'dropped', 'last')
-- A purged one has a sequence and no revision (lib/stub.lua).
local behind = fence(HISTORY, head[1] or head[2], head[7])
if behind then
  return behind
end
-- Records of another version are worked out again from the log.
if head[1] and tonumber(head[8] or 1) ~= RECORD_FORMAT then
  return redis.error_reply('RECOVERING records are being written anew from the log')
end
-- A SeatingEvent's time never goes back, whatever the server's clock does.
NOW = math.max(now(), tonumber(head[9] or 0))

-- The same key again: the stored answer, if the same is asked for, and what it tells of was not dropped since (recover.lua),
-- nor purged and made anew (apply.lua).
if ANSWER then
  local stored = redis.call('GET', ANSWER)
  if stored and not (head[11] and is_of_before(stored, tonumber(head[11]))) then
    return repeated(stored, FINGERPRINT)
  end
end

-- Whether a seat map is wanted that was refused.
local wanting = head[10] == '1'

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
