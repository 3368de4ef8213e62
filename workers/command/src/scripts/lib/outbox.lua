-- State and domain event in one step (I2): `append` gives an event the next sequence (I3) and puts it in the outbox as
-- entry <sequence>-0, `commit` ends every script that appended. store/redis/entry.rs declares entries and reads them.
local before = event.sequence
-- Whether somebody's answer waits until what was appended is on the log.
local awaited = false

-- The first entry of a command says which domain event it goes on from, where meta knows that; each other one goes on from
-- the one before.
local function add_entry(text)
  local last = event.sequence == before and head[12]
  if last then
    local known = last_event(before, head[9] or 0, '')
    if string.sub(last, 1, #known) == known then
      text = string.sub(text, 1, -2) .. ',"after":"' .. string.sub(last, #known + 1) .. '"}'
    end
  end
  event.sequence = event.sequence + 1
  redis.call('XADD', OUTBOX, string.format('%d-0', event.sequence), 'event', text)
end

-- What events of type `kind` have in common: `entry`, and what all have but for the index. An entry is one field of JSON:
-- a field each would cost Redis and the relay several times as much. Numbers are written as whole ones: Lua's own way, by
-- printf's `g`, takes three times as long.
local function in_common(kind, correlation, actor, entry, expires)
  awaited = awaited or (RESERVES_WAIT and kind == 'seat.reserved') or (HOLDS_WAIT and kind == 'seat.held')
  entry.type, entry.causation, entry.correlation = kind, COMMAND, correlation
  if actor ~= '' then
    entry.user = actor
  end
  if TRACE ~= '' then
    entry.trace = TRACE
  end
  local numbers = string.format(',"format":%d,"at":%d', ENTRY_FORMAT, NOW)
  if expires then
    numbers = numbers .. string.format(',"expires":%d', expires)
  end
  return string.sub(cjson.encode(entry), 1, -2) .. numbers
end

-- Appends an event that has `common`, which was encoded, and nothing else but a seat and an amount, where it has them:
-- encoding all of it for each of many seats would take longer than writing it.
local function append_common(common, seat, amount)
  local of_seat = seat and ',"seat":' .. cjson.encode(seat) or ''
  local at_price = amount and ',"amount":' .. cjson.encode(amount) or ''
  add_entry(common .. of_seat .. at_price .. string.format(',"index":%d}', event.sequence + 1))
end

local function append(kind, correlation, actor, entry)
  append_common(in_common(kind, correlation, actor, entry))
end

-- Answers a command that was carried out: its chain, whether it changed anything, and the words. With an idempotency key
-- that is stored in the same step; refusals are not, they are evaluated again.
local function done_with(text)
  local changed = event.sequence > before and (wanting and 'wanting' or 'changed') or 'unchanged'
  text = CORRELATION .. '\n' .. changed .. '\n' .. text
  if ANSWER then
    redis.call('SET', ANSWER, FINGERPRINT .. '\n' .. ANSWER_FORMAT .. '\n' .. text, 'PX', ANSWER_MEMORY)
  end
  return 'done\n' .. text
end

local function done(words)
  return done_with(reply(words))
end

-- The refusal where so many events wait that nothing may be held.
local function refused_by_outbox(high_watermark)
  local depth = event.sequence - event.published
  if depth >= tonumber(high_watermark) then
    return reply({'full', depth})
  end
end

-- Writes the head, with the id that boxoffice_domain::ids::event_id gives the last event, and wakes the relay where the outbox
-- was empty (else it is at work already), or somebody waits.
local function commit()
  redis.call('HSET', META, 'sequence', event.sequence, 'held', event.held, 'reserved', event.reserved,
    'blocked', event.blocked, 'time', string.format('%d', NOW),
    'last', last_event(event.sequence, NOW, string.sub(COMMAND, 1, 24) .. string.format('%012x', event.sequence)))
  if awaited then
    redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT .. ' awaited')
  elseif before == event.published then
    redis.call('PUBLISH', CHANNEL, 'wrote ' .. EVENT)
  end
end
