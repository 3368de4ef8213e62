-- Takes `keys` out of a hold, whose sequence becomes that of the last of these events. A seat that was blocked before
-- staff held it is blocked again. What becomes of the hold itself, whoever asks says.
local function release_seats(hold, keys, reason, correlation, actor)
  local seats, free = read_seats(keys), {}
  local common = in_common('seat.released', correlation, actor, {holder = hold.user, hold = hold.id, reason = reason})
  for i, key in ipairs(keys) do
    append_common(common, key)
    hold.sequence = event.sequence
    local blocked = seats[i].blocked
    if blocked then
      append('seat.blocked', correlation, actor, {seat = key, reason = blocked})
      block_seat(key, blocked)
      event.blocked = event.blocked + 1
    else
      free[#free + 1] = key
      if reason == 'expired' then
        lapse_seat(key, hold.user)
      end
    end
  end
  if #free > 0 then
    if reason ~= 'expired' then
      -- In slices, for `unpack` is bounded.
      for first = 1, #free, 1000 do
        redis.call('HDEL', SEATS, unpack(free, first, math.min(first + 999, #free)))
      end
    end
    free_seats(free)
  end
  claim(hold.user, -#keys)
  event.held = event.held - #keys
  return keys
end

-- An answer about seats that were released, and those that the hold still has.
local function released(hold, keys)
  local left = #hold.seats > 0
  local words = said('released', {expires = left and hold.expires or 0, sequence = event.sequence,
    currency = hold.currency, count = #keys})
  for _, key in ipairs(keys) do
    words[#words + 1] = key
  end
  return done(add_priced(words, hold.seats))
end

-- Releases `keys`, seats of a live hold, because its holder gives them back. A hold without seats is forgotten.
local function release(hold, keys)
  release_seats(hold, keys, 'user', CORRELATION, ACTOR)
  hold.seats = without(hold.seats, keys)
  if #hold.seats == 0 then
    forget_hold(hold)
  else
    write_hold(hold)
  end
  commit()
  return released(hold, keys)
end
