-- Creates a SeatingEvent, or changes its definition where that drops and blocks no claimed seat.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision that the rest was worked out for, '' where there was none, the definition as JSON,
--       partition, pinned the first time (I4), seats of the chart, '1' if the definition stands already;
--       how many seats the chart loses, then their keys; how many lose their block, then their keys;
--       how many are blocked, then the key of each, then the reason of each; the floor plan where it changes
-- Returns {'provisioned', now, sequence} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, map, floor_plan
local REVISION, DEFINITION, PARTITION, TOTAL, STANDS = unpack(ARGV, OWN, OWN + 4)

if (event.revision or '') ~= REVISION then
  return CHANGED
end
if STANDS == '1' then
  return done({'provisioned', NOW, event.sequence})
end

local next_arg = OWN + 5
local function take_list()
  local count = tonumber(ARGV[next_arg])
  local list = {}
  for i = next_arg + 1, next_arg + count do
    list[#list + 1] = ARGV[i]
  end
  next_arg = next_arg + 1 + count
  return list
end
local dropped, unblocked, blocked, reasons = take_list(), take_list(), take_list(), take_list()
local dropped_seats, unblocked_seats, blocked_seats =
  read_seats(dropped), read_seats(unblocked), read_seats(blocked)

local conflicts = {'rejected', 'SEAT_MAP_CONFLICT'}
add_claimed(conflicts, dropped, dropped_seats)
add_claimed(conflicts, blocked, blocked_seats)
if #conflicts > 2 then
  return reply(conflicts)
end

-- Nothing below refuses.
local function clear(key, seat)
  if seat.status == 'B' then
    event.blocked = event.blocked - 1
  end
  redis.call('HDEL', SEATS, key)
end
for i, key in ipairs(dropped) do
  if dropped_seats[i].status ~= 'A' then
    clear(key, dropped_seats[i])
  end
end
-- What lost its block by hand before may be somebody's by now.
local freed = {}
for i, key in ipairs(unblocked) do
  if unblocked_seats[i].status == 'B' then
    clear(key, unblocked_seats[i])
    freed[#freed + 1] = key
  end
end
for i, key in ipairs(blocked) do
  if blocked_seats[i].status ~= 'B' then
    event.blocked = event.blocked + 1
  end
  block_seat(key, reasons[i])
end
if ARGV[next_arg] then
  lay_out(next_arg)
else
  free_seats(freed)
  mark(places_of(blocked), TAKEN)
end
append(event.revision and 'event.updated' or 'event.created', CORRELATION, ACTOR, {definition = DEFINITION})
redis.call('HSET', META, 'revision', COMMAND, 'definition', DEFINITION, 'total', TOTAL, 'closed', '0', 'history', HISTORY)
redis.call('HSETNX', META, 'partition', PARTITION)
commit()
return done({'provisioned', NOW, event.sequence})
