-- Holds: a field of `holds` by the hold's UUID, its parts on lines of their own:
--   status expires sequence heldAt seats currency correlation user
-- where status is A (active), E (expired) or R and a reservation's UUID, and seats are keys with commas. `deadlines`
-- has an active hold at the moment it expires and an expired one at the moment it is forgotten.

local function contains(list, value)
  for _, other in ipairs(list) do
    if other == value then
      return true
    end
  end
  return false
end

local function write_hold(hold)
  local text = string.format('%s%s\n%d\n%d\n%d\n%s\n%s\n%s\n%s', hold.status, hold.reservation, hold.expires,
    hold.sequence, hold.held_at, table.concat(hold.seats, ','), hold.currency, hold.correlation, hold.user)
  redis.call('HSET', HOLDS, hold.id, text)
end

-- A hold by the names that an answer has for it.
local function hold_words(hold)
  return {hold = hold.id, expires = string.format('%d', hold.expires), sequence = hold.sequence, currency = hold.currency}
end
