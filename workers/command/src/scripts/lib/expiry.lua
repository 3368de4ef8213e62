-- Releases every seat of a hold whose deadline has passed, whoever noticed it. The events belong to the hold's own
-- chain: its correlation id, its holder. The hold is remembered, so that its holder learns what became of it.
local function expire(hold)
  for _, key in ipairs(hold.seats) do
    append('seat.released', hold.correlation, hold.user,
      {seat = key, holder = hold.user, hold = hold.id, reason = 'expired'})
    lapse_seat(key, hold.user)
  end
  free_seats(hold.seats)
  claim(hold.user, -#hold.seats)
  event.held = event.held - #hold.seats
  hold.status, hold.seats = 'E', {}
  write_hold(hold)
  redis.call('ZADD', DEADLINES, hold.expires + EXPIRED_HOLD_MEMORY, hold.id)
end
