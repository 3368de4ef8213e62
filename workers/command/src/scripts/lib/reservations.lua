-- Reservations: a field of `reservations` by UUID, its parts on lines of their own:
--   hold reservedAt sequence seats currency paidBy user
-- One whose payment failed is no reservation any more, but remembered: a field `failed:` and the UUID, which is also what
-- `deadlines` has at the moment it is forgotten (store/redis/state.rs).

-- The reservation `id` if it is `user`'s. Else nil and the refusal.
local function own_reservation(id, user)
  local text = redis.call('HGET', RESERVATIONS, id)
  if not text then
    return nil, rejected('RESERVATION_NOT_FOUND')
  end
  local hold, reserved_at, sequence, seats, currency, paid_by, owner =
    string.match(text, '^(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  if owner ~= user then
    return nil, rejected('NOT_HOLDER')
  end
  return {
    id = id, hold = hold, reserved_at = tonumber(reserved_at), sequence = tonumber(sequence), seats = split(seats),
    currency = currency, paid_by = paid_by, user = owner,
  }
end

local function write_reservation(reservation)
  local text = string.format('%s\n%d\n%d\n%s\n%s\n%s\n%s', reservation.hold, reservation.reserved_at,
    reservation.sequence, table.concat(reservation.seats, ','), reservation.currency, reservation.paid_by,
    reservation.user)
  redis.call('HSET', RESERVATIONS, reservation.id, text)
end

-- Reserving again gives the reservation that it went into, as it is now.
local function reserved_already(id, user)
  local reservation, refusal = own_reservation(id, user)
  if not reservation then
    return refusal
  end
  local words = said('reserved', {reservation = id, reserved = reservation.reserved_at,
    sequence = reservation.sequence, currency = reservation.currency})
  return done(add_priced(words, reservation.seats))
end
