-- Seats about which there is something to say: a field of `seats` by the seat's key. A seat without one is available.
-- Parts stand on lines of their own, for no user id has a line break:
--   L user                      available; the last hold on it, the user's, expired
--   H hold amount [reason]      held at that price; by staff, where it was blocked before: it is again if unsold
--   R reservation hold amount   reserved at that price
--   B reason                    not for sale

local function seat_from(text)
  local seat = {status = 'A'}
  if text then
    local rest
    seat.status, rest = string.match(text, '^(%u)\n(.*)$')
    if seat.status == 'L' then
      seat.user = rest
    elseif seat.status == 'H' then
      seat.hold, seat.amount, seat.blocked = string.match(rest, '^(.-)\n(%d+)\n?(.*)$')
      -- A reason may be empty, but then there is a line for it.
      if seat.blocked == '' and string.sub(rest, -1) ~= '\n' then
        seat.blocked = nil
      end
    elseif seat.status == 'R' then
      seat.reservation, seat.hold, seat.amount = string.match(rest, '^(.-)\n(.-)\n(.*)$')
    elseif seat.status == 'B' then
      seat.reason = rest
    end
  end
  return seat
end

-- The seats of `keys`, in their order. In slices, for `unpack` is bounded.
local function read_seats(keys)
  local seats = {}
  for first = 1, #keys, 1000 do
    local last = math.min(first + 999, #keys)
    local texts = redis.call('HMGET', SEATS, unpack(keys, first, last))
    for i = 1, last - first + 1 do
      seats[#seats + 1] = seat_from(texts[i])
    end
  end
  return seats
end

local function lapse_seat(key, user)
  redis.call('HSET', SEATS, key, 'L\n' .. user)
end

-- At the prices of `amounts`. In slices, as above.
local function hold_seats(keys, hold, amounts)
  for first = 1, #keys, 1000 do
    local words = {}
    for i = first, math.min(first + 999, #keys) do
      words[#words + 1] = keys[i]
      words[#words + 1] = 'H\n' .. hold .. '\n' .. amounts[i]
    end
    redis.call('HSET', SEATS, unpack(words))
  end
end

local function reserve_seat(key, reservation, hold, amount)
  redis.call('HSET', SEATS, key, 'R\n' .. reservation .. '\n' .. hold .. '\n' .. amount)
end

local function block_seat(key, reason)
  redis.call('HSET', SEATS, key, 'B\n' .. reason)
end

-- Adds keys and amounts of claimed seats to the words of a reply.
local function add_priced(words, keys)
  local seats = read_seats(keys)
  for i, key in ipairs(keys) do
    words[#words + 1] = key
    words[#words + 1] = seats[i].amount or '0'
  end
  return words
end
