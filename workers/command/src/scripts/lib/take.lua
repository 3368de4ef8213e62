-- What is asked for, and what a hold writes. A new hold of seats by name that are free, which are most, needs no more.

-- Key, price and place of each seat in ARGV from `first` on, but for those that `has` names.
local function named_seats(first, has)
  local keys, prices, places = {}, {}, {}
  for i = first, #ARGV, 3 do
    if not contains(has, ARGV[i]) then
      keys[#keys + 1] = ARGV[i]
      prices[#prices + 1] = ARGV[i + 1]
      places[#places + 1] = tonumber(ARGV[i + 2])
    end
  end
  return keys, prices, places
end

-- Why nothing can be held now, or nil.
local function refused_by_sales()
  if event.revision ~= REVISION then
    return CHANGED
  end
  if CLOSED == '1' or NOW >= tonumber(CLOSES_AT) then
    return rejected('SALES_CLOSED')
  end
  if OPENS_AT ~= '' and NOW < tonumber(OPENS_AT) then
    return rejected('SALES_NOT_OPEN', OPENS_AT)
  end
  if PAUSED == '1' then
    return rejected('SALES_PAUSED')
  end
end

-- Whether a new hold of `keys` is neither refused nor answered otherwise, as far as that is seen without a look at other
-- holds.
local function nothing_is_in_the_way(keys, prices, seats)
  if GROWS == '1' or redis.call('HEXISTS', HOLDS, HOLD) == 1 or refused_by_sales() then
    return false
  end
  if LIMIT ~= '' and tonumber(redis.call('HGET', USERS, USER) or 0) + #keys > tonumber(LIMIT) then
    return false
  end
  for i, seat in ipairs(seats) do
    if prices[i] == '' or (seat.status ~= 'A' and seat.status ~= 'L') then
      return false
    end
  end
  return true
end

-- Claims seats that nobody has, for `growing` or a new hold. Does not refuse.
local function take(growing, keys, prices, places)
  local hold = growing or {id = HOLD, status = 'A', reservation = '', expires = NOW + tonumber(TTL), held_at = NOW,
    seats = {}, currency = CURRENCY, correlation = CORRELATION, user = USER}
  local priced = growing and add_priced({}, hold.seats) or {}
  local common = in_common('seat.held', CORRELATION, ACTOR,
    {holder = USER, hold = HOLD, currency = hold.currency}, hold.expires)
  for i, key in ipairs(keys) do
    append_common(common, key, prices[i])
    hold.seats[#hold.seats + 1] = key
    priced[#priced + 1] = key
    priced[#priced + 1] = prices[i]
  end
  hold.sequence = event.sequence
  hold_seats(keys, HOLD, prices)
  mark(places, TAKEN)
  write_hold(hold)
  redis.call('ZADD', DEADLINES, string.format('%d', hold.expires), HOLD)
  claim(USER, #keys)
  event.held = event.held + #keys
  commit()
  return done_with(reply(said('held', hold_words(hold))) .. '\n' .. reply(priced))
end
