-- What a hold is checked by and what it writes, however its seats were chosen; the rules of the sale are told first.

-- A hold that was made before under the id that this one is to have, which derives from its idempotency key, is answered
-- as it is now and never made again. Else nil.
local function held_before(names)
  local hold = GROWS == '0' and remembered_hold(HOLD)
  if not hold then
    return nil
  end
  if hold.user ~= USER then
    return rejected('OTHER_SEATS_HELD')
  end
  local has
  if hold.status == 'R' then
    local reservation, refusal = own_reservation(hold.reservation, USER)
    if not reservation then
      return refusal
    end
    has = reservation.seats
  else
    local live, refusal = still_live(hold)
    if not live then
      return refusal
    end
    has = hold.seats
  end
  -- It may have lost seats since, or got more, but not other ones instead.
  local missing, others = false, false
  for _, key in ipairs(names or {}) do
    missing = missing or not contains(has, key)
  end
  for _, key in ipairs(names and has or {}) do
    others = others or not contains(names, key)
  end
  if missing and others then
    return rejected('OTHER_SEATS_HELD')
  end
  if hold.status == 'R' then
    return reserved_already(hold.reservation, USER)
  end
  return held_as_it_is(hold)
end

-- What comes before any seat is looked at: the hold that is to grow, or nil; and what to answer at once, if anything.
local function open_hold(names)
  local answer = held_before(names) or refused_by_sales()
  if answer or GROWS ~= '1' then
    return nil, answer
  end
  return own_live_hold(HOLD, USER)
end

-- How many seats a user's holds have that have lapsed and that nobody has released yet.
local function lapsed_claims(user)
  local seats, from = 0, 0
  repeat
    local ids = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'LIMIT', from, 1000)
    for _, id in ipairs(ids) do
      local hold = read_hold(id)
      if hold and hold.status == 'A' and hold.user == user then
        seats = seats + #hold.seats
      end
    end
    from = from + #ids
  until #ids < 1000
  return seats
end

-- Why `growing`, where it is a hold, or the user can have no `wanted` more seats, or nil.
local function refused_by_limit(growing, wanted)
  if growing and #growing.seats + wanted > MOST_SEATS_OF_A_HOLD then
    return rejected('HOLD_FULL', #growing.seats, wanted)
  end
  if LIMIT == '' then
    return nil
  end
  local claimed = tonumber(redis.call('HGET', USERS, USER) or 0)
  if claimed + wanted > tonumber(LIMIT) then
    claimed = math.max(claimed - lapsed_claims(USER), 0)
    if claimed + wanted > tonumber(LIMIT) then
      return rejected('LIMIT_EXCEEDED', LIMIT, claimed, wanted)
    end
  end
end

-- The holds of held seats, by id.
local function holds_of(seats)
  local holds = {}
  for _, seat in ipairs(seats) do
    if seat.status == 'H' and not holds[seat.hold] then
      holds[seat.hold] = read_hold(seat.hold)
    end
  end
  return holds
end

-- The refusal that names every seat of `keys` that cannot be held, or nil. A seat without a price does not exist.
local function conflicts_of(keys, prices, seats, holds)
  local code, conflicts = 'SEAT_NOT_AVAILABLE', {}
  local function conflict(key, reason, mine)
    conflicts[#conflicts + 1] = key
    conflicts[#conflicts + 1] = mine and 'MINE ' .. reason or reason
  end
  for i, key in ipairs(keys) do
    local seat = seats[i]
    if prices[i] == '' then
      code = 'SEAT_NOT_FOUND'
      conflict(key, 'NOT_FOUND')
    elseif seat.status == 'H' then
      local hold = holds[seat.hold]
      if not has_lapsed(hold) then
        conflict(key, 'HELD', hold.user == USER)
      elseif seat.blocked then
        conflict(key, 'BLOCKED')
      end
    elseif seat.status == 'R' then
      conflict(key, 'RESERVED', own_reservation(seat.reservation, USER))
    elseif seat.status == 'B' then
      conflict(key, 'BLOCKED')
    end
  end
  if #conflicts > 0 then
    return rejected(code, unpack(conflicts))
  end
end

-- The caller's own live hold that has all of `keys`, or nil: asking again for its seats gives it again.
local function own_hold_of_all(keys, seats, holds)
  local hold = seats[1] and holds[seats[1].hold]
  if not hold or hold.user ~= USER or has_lapsed(hold) then
    return nil
  end
  for _, key in ipairs(keys) do
    if not contains(hold.seats, key) then
      return nil
    end
  end
  return held_as_it_is(hold)
end

-- Claims seats that can be held, all or none (I1), for `growing` or a new hold. Lapsed holds that are in the way end in
-- the same step (I6).
local function hold_all(growing, keys, prices, places, seats, holds)
  local full = refused_by_outbox(HIGH_WATERMARK)
  if full then
    return full
  end

  -- Nothing below refuses. What is still held has lapsed: each hold once, in the order met.
  local met = {}
  for _, seat in ipairs(seats) do
    local hold = seat.status == 'H' and holds[seat.hold]
    if hold and not met[hold.id] then
      met[hold.id] = true
      expire(hold)
    end
  end
  return take(growing, keys, prices, places)
end
