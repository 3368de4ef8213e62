-- Puts a SeatingEvent behind the fence (I7): another store may have sold its seats, or what is here is not what the log has.
-- A recovery takes it out again.
--
-- KEYS meta; ARGV: Distrusting (store/redis/wire/args.rs)
-- Returns 1, 0 where there is none, or the error of the fence where this server has another history
local behind = fence(HISTORY, false)
if behind then
  return behind
end
if redis.call('EXISTS', META) == 0 then
  return 0
end
redis.call('HSET', META, 'history', MARK)
return 1
