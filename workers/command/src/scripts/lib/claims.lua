-- Seats held and reserved by each user (I1); a user without any has no field.
local function claim(user, seats)
  if redis.call('HINCRBY', USERS, user, seats) <= 0 then
    redis.call('HDEL', USERS, user)
  end
end
