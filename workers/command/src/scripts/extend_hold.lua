-- Moves a live hold's deadline away, at most to the longest that a hold may last (I6). Never nearer.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- ARGV  from OWN on: revision, user, the hold's UUID, by how many ms, how long a hold may last in ms
-- Returns {'held', now, hold, expires, sequence, key, amount, ...} | 'rejected' | 'changed'
--
-- include: keys, reply, head, outbox, seats, holds
local REVISION, USER, HOLD, BY, LONGEST = unpack(ARGV, OWN, OWN + 4)

if event.revision ~= REVISION then
  return CHANGED
end
local hold, refusal = own_live_hold(HOLD, USER)
if not hold then
  return refusal
end
local sequence = hold.sequence
local expires = math.max(hold.expires, math.min(hold.expires + tonumber(BY), hold.held_at + tonumber(LONGEST)))
if expires > hold.expires then
  append('hold.extended', CORRELATION, ACTOR,
    {hold = hold.id, holder = USER, keys = table.concat(hold.seats, ','), expires = expires})
  hold.expires = expires
  write_hold(hold)
  redis.call('ZADD', DEADLINES, expires, hold.id)
  commit()
  sequence = event.sequence
end
return done(add_priced({'held', NOW, hold.id, expires, sequence}, hold.seats))
