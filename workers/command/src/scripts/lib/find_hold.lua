-- Holds that there are (lib/holds.lua), and whose they are.
local function split(text)
  local parts = {}
  for part in string.gmatch(text, '[^,]+') do
    parts[#parts + 1] = part
  end
  return parts
end

-- `list` without what is in `gone`: one look at each.
local function without(list, gone)
  local is_gone, rest = {}, {}
  for _, value in ipairs(gone) do
    is_gone[value] = true
  end
  for _, value in ipairs(list) do
    if not is_gone[value] then
      rest[#rest + 1] = value
    end
  end
  return rest
end

-- The hold `id`, or nil.
local function read_hold(id)
  local text = redis.call('HGET', HOLDS, id)
  if not text then
    return nil
  end
  local status, reservation, expires, sequence, held_at, seats, currency, correlation, user =
    string.match(text, '^(%u)(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  return {
    id = id, status = status, reservation = reservation, expires = tonumber(expires), sequence = tonumber(sequence),
    held_at = tonumber(held_at), seats = split(seats), currency = currency, correlation = correlation, user = user,
  }
end

local function forget_hold(hold)
  redis.call('HDEL', HOLDS, hold.id)
  redis.call('ZREM', DEADLINES, hold.id)
end

-- Equal to the deadline counts as expired (I6).
local function has_lapsed(hold)
  return hold == nil or NOW >= hold.expires
end

-- The hold `id`, or nil where it is to be forgotten.
local function remembered_hold(id)
  local hold = read_hold(id)
  if hold and hold.status == 'E' and NOW >= hold.expires + EXPIRED_HOLD_MEMORY then
    return nil
  end
  return hold
end

-- The hold `id` if `user` may ask about it: theirs, and not forgotten. Else nil and the refusal.
local function own_hold(id, user)
  local hold = remembered_hold(id)
  if not hold then
    return nil, rejected('HOLD_NOT_FOUND')
  end
  if hold.user ~= user then
    return nil, rejected('NOT_HOLDER')
  end
  return hold
end

-- A hold that still has seats. Else nil and the refusal.
local function still_live(hold)
  if hold.status == 'R' then
    return nil, rejected('HOLD_NOT_FOUND')
  end
  if hold.status == 'E' or has_lapsed(hold) then
    return nil, rejected('HOLD_EXPIRED')
  end
  return hold
end

-- The hold `id` if it is `user`'s and still has seats. Else nil and the refusal.
local function own_live_hold(id, user)
  local hold, refusal = own_hold(id, user)
  if not hold then
    return nil, refusal
  end
  return still_live(hold)
end

-- All of a live hold, as an answer.
local function held_as_it_is(hold)
  return done(add_priced(said('held', hold_words(hold)), hold.seats))
end

-- The hold of a held seat, if it is `user`'s and live. Else nil and the refusal.
local function hold_of_seat(id, user)
  local hold = read_hold(id)
  local lapsed = has_lapsed(hold)
  if not hold or hold.user ~= user then
    return nil, rejected(lapsed and 'SEAT_NOT_HELD' or 'NOT_HOLDER')
  end
  if lapsed then
    return nil, rejected('HOLD_EXPIRED')
  end
  return hold
end

-- Why a seat that is neither held nor reserved can be neither reserved nor released.
local function not_held(seat, user)
  if seat.status == 'L' and seat.user == user then
    return rejected('HOLD_EXPIRED')
  end
  return rejected('SEAT_NOT_HELD')
end
