-- What a hold is checked by and what it writes, however its seats were chosen.
--
-- ARGV  from OWN on: revision, first moment of sales or '', first moment after them, '1' while paused, '1' when closed for
--       good, how long a hold lasts in ms, most seats a user or '', high watermark, currency, user, the hold's UUID
local REVISION, OPENS, CLOSES, PAUSED, CLOSED, TTL, LIMIT, HIGH_WATERMARK, CURRENCY, USER, HOLD =
  unpack(ARGV, OWN, OWN + 10)
local REST = OWN + 11

-- Why nothing can be held now, or nil.
local function refused_by_sales()
  if event.revision ~= REVISION then
    return CHANGED
  end
  if CLOSED == '1' or NOW >= tonumber(CLOSES) then
    return rejected('SALES_CLOSED')
  end
  if OPENS ~= '' and NOW < tonumber(OPENS) then
    return rejected('SALES_NOT_OPEN', OPENS)
  end
  if PAUSED == '1' then
    return rejected('SALES_PAUSED')
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

-- Key, price and place of each seat in ARGV from `first` on.
local function named_seats(first)
  local keys, prices, places = {}, {}, {}
  for i = first, #ARGV, 3 do
    keys[#keys + 1] = ARGV[i]
    prices[#prices + 1] = ARGV[i + 1]
    places[#places + 1] = tonumber(ARGV[i + 2])
  end
  return keys, prices, places
end

-- The refusal that names every seat of `keys` that cannot be held, or nil. A seat without a price does not exist.
local function conflicts_of(keys, prices, seats, holds)
  local code, conflicts = 'SEAT_NOT_AVAILABLE', {}
  local function conflict(key, reason)
    conflicts[#conflicts + 1] = key
    conflicts[#conflicts + 1] = reason
  end
  for i, key in ipairs(keys) do
    local seat = seats[i]
    if prices[i] == '' then
      code = 'SEAT_NOT_FOUND'
      conflict(key, 'NOT_FOUND')
    elseif seat.status == 'H' and not has_lapsed(holds[seat.hold]) then
      conflict(key, 'HELD')
    elseif seat.status == 'R' then
      conflict(key, 'RESERVED')
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
  local hold = holds[seats[1].hold]
  if not hold or hold.user ~= USER or has_lapsed(hold) then
    return nil
  end
  for _, key in ipairs(keys) do
    if not contains(hold.seats, key) then
      return nil
    end
  end
  return add_priced({'held', NOW, hold.id, hold.expires, hold.sequence}, keys)
end

-- Claims seats that can be held, all or none (I1). Lapsed holds that are in the way end in the same step (I6).
local function hold_all(keys, prices, places, seats, holds)
  -- What is still held has lapsed: each hold once, in the order met.
  local lapsed, met, own_lapsed = {}, {}, 0
  for _, seat in ipairs(seats) do
    local hold = holds[seat.hold]
    if hold and not met[hold.id] then
      met[hold.id] = true
      lapsed[#lapsed + 1] = hold
      if hold.user == USER then
        own_lapsed = own_lapsed + #hold.seats
      end
    end
  end

  if LIMIT ~= '' then
    local claimed = math.max(tonumber(redis.call('HGET', USERS, USER) or 0) - own_lapsed, 0)
    if claimed + #keys > tonumber(LIMIT) then
      return rejected('LIMIT_EXCEEDED', LIMIT, claimed, #keys)
    end
  end
  local depth = event.sequence - event.published
  if depth >= tonumber(HIGH_WATERMARK) then
    return reply({'full', depth})
  end

  -- Nothing below refuses.
  for _, hold in ipairs(lapsed) do
    expire(hold)
  end
  local expires = NOW + tonumber(TTL)
  local words = {'held', NOW, HOLD, expires, event.sequence + #keys}
  for i, key in ipairs(keys) do
    append('seat.held', CORRELATION, ACTOR, {seat = key, holder = USER, hold = HOLD, expires = expires,
      amount = prices[i], currency = CURRENCY})
    hold_seat(key, HOLD, prices[i])
    words[#words + 1] = key
    words[#words + 1] = prices[i]
  end
  mark(places, TAKEN)
  write_hold({id = HOLD, status = 'A', reservation = '', expires = expires, sequence = event.sequence, held_at = NOW,
    seats = keys, correlation = CORRELATION, user = USER})
  redis.call('ZADD', DEADLINES, expires, HOLD)
  claim(USER, #keys)
  event.held = event.held + #keys
  commit()
  return done(words)
end
