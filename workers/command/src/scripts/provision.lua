-- Creates a SeatingEvent, or changes its definition where that drops and blocks no claimed seat.
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 revision that the rest was worked out for, '' where there was none  9 the definition as JSON
--       10 partition, pinned the first time (I4)  11 seats of the chart  12 '1' if the definition stands already
--       13 how many seats the chart loses, then their keys; then how many lose their block, then their keys;
--       then key and reason of every blocked seat
-- Returns {'provisioned', now, sequence} | 'rejected' | 'changed'
--
-- include: reply, head, outbox, seats
local REVISION, DEFINITION, PARTITION, TOTAL, STANDS = unpack(ARGV, 8, 12)

if (event.revision or '') ~= REVISION then
  return CHANGED
end
if STANDS == '1' then
  return {'provisioned', NOW, event.sequence}
end

local next_arg = 13
local function take_list()
  local count = tonumber(ARGV[next_arg])
  local list = {}
  for i = next_arg + 1, next_arg + count do
    list[#list + 1] = ARGV[i]
  end
  next_arg = next_arg + 1 + count
  return list, read_seats(list)
end
local dropped, dropped_seats = take_list()
local unblocked, unblocked_seats = take_list()
local blocked, reasons = {}, {}
for i = next_arg, #ARGV, 2 do
  blocked[#blocked + 1] = ARGV[i]
  reasons[#reasons + 1] = ARGV[i + 1]
end
local blocked_seats = read_seats(blocked)

local conflicts = {'rejected', 'SEAT_MAP_CONFLICT'}
local function find_conflicts(keys, seats)
  for i, key in ipairs(keys) do
    local status = seats[i].status
    if status == 'H' or status == 'R' then
      conflicts[#conflicts + 1] = key
      conflicts[#conflicts + 1] = status == 'H' and 'HELD' or 'RESERVED'
    end
  end
end
find_conflicts(dropped, dropped_seats)
find_conflicts(blocked, blocked_seats)
if #conflicts > 2 then
  return conflicts
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
for i, key in ipairs(unblocked) do
  if unblocked_seats[i].status == 'B' then
    clear(key, unblocked_seats[i])
  end
end
for i, key in ipairs(blocked) do
  if blocked_seats[i].status ~= 'B' then
    event.blocked = event.blocked + 1
  end
  redis.call('HSET', SEATS, key, 'B\n' .. reasons[i])
end
append(event.revision and 'event.updated' or 'event.created', CORRELATION, ACTOR, {'definition', DEFINITION})
redis.call('HSET', META, 'revision', COMMAND, 'definition', DEFINITION, 'total', TOTAL, 'closed', '0', 'runId', RUN_ID)
redis.call('HSETNX', META, 'partition', PARTITION)
commit()
return {'provisioned', NOW, event.sequence}
