-- Puts blocked seats back on sale; others stay as they are.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, then each seat's key and '1' if the chart has it
-- Returns {'provisioned', now, sequence} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, map, chart_seats
local REVISION = ARGV[OWN]

if event.revision ~= REVISION then
  return CHANGED
end
local keys, unknown = chart_seats(OWN + 1)
if unknown then
  return unknown
end
local changed = {}
for i, seat in ipairs(read_seats(keys)) do
  if seat.status == 'B' then
    append('seat.unblocked', CORRELATION, ACTOR, {seat = keys[i], reason = seat.reason})
    redis.call('HDEL', SEATS, keys[i])
    event.blocked = event.blocked - 1
    changed[#changed + 1] = keys[i]
  end
end
if #changed > 0 then
  free_seats(changed)
  commit()
end
return done({'provisioned', NOW, event.sequence})
