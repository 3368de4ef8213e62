-- Claims seats for a while, all or none (I1). Lapsed holds that are in the way end in the same step (I6).
--
-- KEYS, ARGV 1-7: lib/head.lua
-- ARGV  8 revision  9 first moment of sales, or ''  10 first moment after them  11 '1' while paused
--       12 '1' when closed for good  13 how long a hold lasts, in ms  14 most seats a user, or ''  15 high watermark
--       16 currency  17 user  18 the hold's UUID  19... key and price of each seat; '' for a seat that does not exist
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | {'full', depth} | 'rejected' | 'changed'
--
-- include: reply, head, outbox, claims, seats, holds, expiry
local REVISION, OPENS, CLOSES, PAUSED, CLOSED, TTL, LIMIT, HIGH_WATERMARK, CURRENCY, USER, HOLD =
  unpack(ARGV, 8, 18)

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

local keys, prices = {}, {}
for i = 19, #ARGV, 2 do
  keys[#keys + 1] = ARGV[i]
  prices[#prices + 1] = ARGV[i + 1]
end
local seats = read_seats(keys)
local holds = {}
for _, seat in ipairs(seats) do
  if seat.status == 'H' and not holds[seat.hold] then
    holds[seat.hold] = read_hold(seat.hold)
  end
end

-- Asking again for seats that one own live hold has gives that hold again.
local function own_hold_of_all()
  local hold = holds[seats[1].hold]
  if not hold or hold.user ~= USER or has_lapsed(hold) then
    return nil
  end
  for _, key in ipairs(keys) do
    if not contains(hold.seats, key) then
      return nil
    end
  end
  return hold
end

local own = own_hold_of_all()
if own then
  return add_priced({'held', NOW, own.id, own.expires, own.sequence}, keys)
end

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
  return {'full', depth}
end

-- Nothing below refuses.
for _, hold in ipairs(lapsed) do
  expire(hold)
end
local expires = NOW + tonumber(TTL)
local reply = {'held', NOW, HOLD, expires, event.sequence + #keys}
for i, key in ipairs(keys) do
  append('seat.held', CORRELATION, ACTOR, {'seat', key, 'holder', USER, 'hold', HOLD, 'expires', expires,
    'amount', prices[i], 'currency', CURRENCY})
  hold_seat(key, HOLD, prices[i])
  reply[#reply + 1] = key
  reply[#reply + 1] = prices[i]
end
write_hold({id = HOLD, status = 'A', reservation = '', expires = expires, sequence = event.sequence, seats = keys,
  correlation = CORRELATION, user = USER})
redis.call('ZADD', DEADLINES, expires, HOLD)
claim(USER, #keys)
event.held = event.held + #keys
commit()
return reply
