-- Gives a lease back, if it is still the owner's.
--
-- KEYS  1 lease
-- ARGV  1 owner  2 token
-- Returns 1, or 0 where it was lost
if redis.call('GET', KEYS[1]) ~= ARGV[2] .. ' ' .. ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
