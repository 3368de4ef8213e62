-- Turns `keys`, seats of a live hold, into the reservation `id`: n seat.reserved, then one reservation.created.
local function reserve(hold, keys, id, currency)
  local priced = add_priced({}, keys)
  for i = 1, #priced, 2 do
    local key, amount = priced[i], priced[i + 1]
    append('seat.reserved', CORRELATION, ACTOR, {seat = key, holder = hold.user, hold = hold.id,
      reservation = id, amount = amount, currency = currency})
    reserve_seat(key, id, hold.id, amount)
    hold.seats = without(hold.seats, key)
  end
  if #hold.seats == 0 then
    hold.status, hold.reservation = 'R', id
    redis.call('ZREM', DEADLINES, hold.id)
  end
  write_hold(hold)
  local reservation = {id = id, hold = hold.id, reserved_at = NOW, seats = keys, user = hold.user}
  append('reservation.created', CORRELATION, ACTOR, reservation_fields(reservation, priced, currency))
  reservation.sequence = event.sequence
  write_reservation(reservation)
  event.held = event.held - #keys
  event.reserved = event.reserved + #keys
  commit()
  return done({'reserved', NOW, id, NOW, event.sequence, unpack(priced)})
end
