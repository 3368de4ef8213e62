-- Turns `keys`, seats of a live hold, into the reservation `id`: n seat.reserved, then one reservation.created, at the
-- prices and in the currency that they were held at.
local function reserve(hold, keys, id)
  local priced, total = add_priced({}, keys), 0
  local common = in_common('seat.reserved', CORRELATION, ACTOR,
    {holder = hold.user, hold = hold.id, reservation = id, currency = hold.currency})
  for i = 1, #priced, 2 do
    local key, amount = priced[i], priced[i + 1]
    append_common(common, key, amount)
    reserve_seat(key, id, hold.id, amount)
    total = total + amount
  end
  hold.seats, hold.sequence = without(hold.seats, keys), event.sequence
  if #hold.seats == 0 then
    hold.status, hold.reservation = 'R', id
    redis.call('ZREM', DEADLINES, hold.id)
  end
  write_hold(hold)
  append('reservation.created', CORRELATION, ACTOR, {reservation = id, holder = hold.user, currency = hold.currency,
    keys = table.concat(keys, ','), amount = string.format('%d', total)})
  write_reservation({id = id, hold = hold.id, reserved_at = NOW, sequence = event.sequence, seats = keys,
    currency = hold.currency, paid_by = '', user = hold.user})
  event.held = event.held - #keys
  event.reserved = event.reserved + #keys
  commit()
  local words = said('reserved', {reservation = id, reserved = NOW, sequence = event.sequence,
    currency = hold.currency})
  for _, word in ipairs(priced) do
    words[#words + 1] = word
  end
  return done(words)
end
