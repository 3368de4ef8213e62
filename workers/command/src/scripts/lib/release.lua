-- Releases `keys`, seats of a live hold, because its holder gives them back. A hold without seats is forgotten.
local function release(hold, keys)
  for _, key in ipairs(keys) do
    append('seat.released', CORRELATION, ACTOR,
      {seat = key, holder = hold.user, hold = hold.id, reason = 'user'})
    hold.seats = without(hold.seats, key)
  end
  redis.call('HDEL', SEATS, unpack(keys))
  free_seats(keys)
  claim(hold.user, -#keys)
  event.held = event.held - #keys
  if #hold.seats == 0 then
    forget_hold(hold)
  else
    write_hold(hold)
  end
  commit()
  return done({'released', NOW, event.sequence, unpack(keys)})
end
