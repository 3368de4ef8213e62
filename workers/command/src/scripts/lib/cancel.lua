-- Releases `keys`, seats of a reservation, for its owner: n seat.released, then one reservation.cancelled that names
-- them. A reservation without seats is forgotten, and so is the hold whose last seats it took.
local function cancel(reservation, keys, currency)
  local priced = add_priced({}, keys)
  for _, key in ipairs(keys) do
    append('seat.released', CORRELATION, ACTOR,
      {seat = key, holder = reservation.user, reservation = reservation.id, reason = 'cancelled'})
    reservation.seats = without(reservation.seats, key)
  end
  append('reservation.cancelled', CORRELATION, ACTOR, reservation_fields(reservation, priced, currency))
  redis.call('HDEL', SEATS, unpack(keys))
  free_seats(keys)
  claim(reservation.user, -#keys)
  event.reserved = event.reserved - #keys
  if #reservation.seats == 0 then
    redis.call('HDEL', RESERVATIONS, reservation.id)
    local hold = read_hold(reservation.hold)
    if hold and hold.reservation == reservation.id then
      forget_hold(hold)
    end
  else
    write_reservation(reservation)
  end
  commit()
  return done({'released', NOW, event.sequence, unpack(keys)})
end
