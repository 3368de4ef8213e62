-- Takes a lease that is free, with a token higher than every one before. Whoever has it already keeps it and its token.
--
-- KEYS  1 lease  2 counter of tokens
-- ARGV  1 owner  2 term in ms
-- Returns the token, or nil where another owner has the lease
local lease = redis.call('GET', KEYS[1])
if lease then
  local token, owner = string.match(lease, '^(%d+) (.*)$')
  if owner ~= ARGV[1] then
    return nil
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(token)
end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], string.format('%.0f %s', token, ARGV[1]), 'PX', ARGV[2])
return token
