-- Takes seats that nobody has off sale, all or none.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, the reason, then each seat's key and '1' if the chart has it
-- Returns {'provisioned', now, sequence} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, map, chart_seats
local REVISION, REASON = unpack(ARGV, OWN, OWN + 1)

if event.revision ~= REVISION then
  return CHANGED
end
local keys, unknown = chart_seats(OWN + 2)
if unknown then
  return unknown
end
local seats = read_seats(keys)
local conflicts = {'rejected', 'SEAT_MAP_CONFLICT'}
add_claimed(conflicts, keys, seats)
if #conflicts > 2 then
  return reply(conflicts)
end

-- Nothing below refuses.
local changed = {}
for i, key in ipairs(keys) do
  if seats[i].reason ~= REASON then
    append('seat.blocked', CORRELATION, ACTOR, {seat = key, reason = REASON})
    block_seat(key, REASON)
    if seats[i].status ~= 'B' then
      event.blocked = event.blocked + 1
    end
    changed[#changed + 1] = key
  end
end
if #changed > 0 then
  mark(places_of(changed), TAKEN)
  commit()
end
return done({'provisioned', NOW, event.sequence})
