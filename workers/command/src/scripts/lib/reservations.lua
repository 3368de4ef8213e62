-- Reservations: a field of `reservations` by UUID, its parts on lines of their own:
--   hold reservedAt sequence seats user

-- The reservation `id` if it is `user`'s. Else nil and the refusal.
local function own_reservation(id, user)
  local text = redis.call('HGET', RESERVATIONS, id)
  if not text then
    return nil, rejected('RESERVATION_NOT_FOUND')
  end
  local hold, reserved_at, sequence, seats, owner = string.match(text, '^(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  if owner ~= user then
    return nil, rejected('NOT_HOLDER')
  end
  return {
    id = id, hold = hold, reserved_at = tonumber(reserved_at), sequence = tonumber(sequence), seats = split(seats),
    user = owner,
  }
end

local function write_reservation(reservation)
  local text = string.format('%s\n%.0f\n%.0f\n%s\n%s', reservation.hold, reservation.reserved_at,
    reservation.sequence, table.concat(reservation.seats, ','), reservation.user)
  redis.call('HSET', RESERVATIONS, reservation.id, text)
end

-- The fields that reservation.created and reservation.cancelled have: seats as `key amount`, with commas.
local function reservation_fields(reservation, priced, currency)
  local seats = {}
  for i = 1, #priced, 2 do
    seats[#seats + 1] = priced[i] .. ' ' .. priced[i + 1]
  end
  return {reservation = reservation.id, holder = reservation.user, currency = currency,
    seats = table.concat(seats, ',')}
end

-- Reserving again gives the answer of the first time; of `seat` alone, where one is asked for.
local function reserved_already(id, seat, user)
  local reservation, refusal = own_reservation(id, user)
  if not reservation then
    return refusal
  end
  local words = {'reserved', NOW, id, reservation.reserved_at, reservation.sequence}
  return done(add_priced(words, seat and {seat} or reservation.seats))
end
