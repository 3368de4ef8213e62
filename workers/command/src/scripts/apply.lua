-- Writes what the worker decided, all or none (I2, I3), where all that it looked at is still what it was. Sequence and
-- counters may have moved on: they change by differences, and what the worker wrote of times and sequences that are only
-- known here are marks (store/redis/stamp.rs).
--
-- KEYS of a SeatingEvent; ARGV: the head, Applying (store/redis/wire/args.rs); from REST on lists: fields and texts of
-- seats, of holds, of reservations as they were read (a text is '' where there was none); seats to write (fields and
-- texts) and to forget, the same of holds and of reservations; users and by how much their claims change; deadlines and
-- holds to add, holds to take out; places that are taken, keys of seats that are free; fields and values of meta, fields
-- of meta to forget; entries; then the floor plan where it changes
-- Returns what the answer says | 'full' | 'changed'
--
-- include: reply, head, last, outbox, claims, seats, map, layout, floor_plan, lists, stub
if (event.revision or '') ~= REVISION or NOW < tonumber(AT) or (UNTIL ~= '' and NOW >= tonumber(UNTIL)) then
  return CHANGED
end
for _, hash in ipairs({SEATS, HOLDS, RESERVATIONS}) do
  local fields, texts = take_list(), take_list()
  for i, text in ipairs(read_all(hash, fields)) do
    if (text or '') ~= texts[i] then
      return CHANGED
    end
  end
end
local full = HIGH_WATERMARK ~= '' and refused_by_outbox(HIGH_WATERMARK)
if full then
  return full
end

-- Nothing below refuses.
local function stamped(text)
  text = string.gsub(text, '\1T(%d+)\1', function(later) return string.format('%d', NOW + later) end)
  return (string.gsub(text, '\1S(%d+)\1', function(more) return string.format('%d', before + more) end))
end
local function all_stamped(list)
  for i, text in ipairs(list) do
    list[i] = stamped(text)
  end
  return list
end
local function write_all(hash, stamp)
  local written, forgotten = take_list(), take_list()
  in_slices(stamp and all_stamped(written) or written, function(...) redis.call('HSET', hash, ...) end)
  in_slices(forgotten, function(...) redis.call('HDEL', hash, ...) end)
end
-- What is known of seats may have marks in it that are somebody's words.
write_all(SEATS, false)
write_all(HOLDS, true)
write_all(RESERVATIONS, true)
local claims = take_list()
for i = 1, #claims, 2 do
  claim(claims[i], claims[i + 1])
end
in_slices(all_stamped(take_list()), function(...) redis.call('ZADD', DEADLINES, ...) end)
in_slices(take_list(), function(...) redis.call('ZREM', DEADLINES, ...) end)
local taken = take_list()
for i, place in ipairs(taken) do
  taken[i] = tonumber(place)
end
mark(taken, TAKEN)
free_seats(take_list())
in_slices(take_list(), function(...) redis.call('HSET', META, ...) end)
in_slices(take_list(), function(...) redis.call('HDEL', META, ...) end)
for _, entry in ipairs(take_list()) do
  add_entry(stamped(entry))
end
if not event.revision then
  redis.call('HSET', META, 'history', HISTORY, 'format', RECORD_FORMAT)
  redis.call('HSETNX', META, 'partition', PARTITION)
end
if ARGV[next_arg] then
  lay_out(next_arg)
end
if event.sequence > before then
  event.held, event.reserved, event.blocked = event.held + HELD, event.reserved + RESERVED, event.blocked + BLOCKED
  commit()
end
if not event.revision and head[2] then
  -- One of the same id was purged: what was answered of that one is no answer any more (lib/head.lua), and all that comes is of
  -- a later moment.
  local purged = tonumber(head[9] or 0)
  redis.call('HSET', META, 'dropped', string.format('%d', purged),
    'time', string.format('%d', math.max(NOW, purged + 1)))
end
if PURGES == '1' then
  forget_all()
end
return done_with(stamped(SAYS))
