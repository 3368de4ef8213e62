-- Releases every seat of a hold whose deadline has passed, whoever noticed it. The events belong to the hold's own
-- chain: its correlation id, its holder. The hold is remembered, so that its holder learns what became of it.
local function expire(hold)
  local released = release_seats(hold, hold.seats, 'expired', hold.correlation, hold.user)
  hold.status, hold.seats = 'E', {}
  write_hold(hold)
  redis.call('ZADD', DEADLINES, hold.expires + EXPIRED_HOLD_MEMORY, hold.id)
  return released
end
