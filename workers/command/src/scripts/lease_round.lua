-- A relay's round of the leases: it shows that it is there, gives back what it names, keeps all else that it has, and
-- takes free lanes up to its fair share. One script for all lanes. store/leases.rs is the same rule without a server.
--
-- KEYS leases: lane -> '<token> <end> <relay>', and relays: those that stay, by the end of their lease; ARGV: LeaseRound
-- (store/redis/wire/args.rs); from REST on the lanes that it gives back
-- Returns its share, then lane and token of every lease that it has
local count = tonumber(LANES)
local NOW = now()
local ENDS = NOW + tonumber(LIFE)
local stays = STAYS == '1'

redis.call('ZREMRANGEBYSCORE', RELAYS, '-inf', NOW)
if stays then
  redis.call('ZADD', RELAYS, ENDS, RELAY)
else
  redis.call('ZREM', RELAYS, RELAY)
end
local staying = redis.call('ZCARD', RELAYS)
local share = staying == 0 and count or stays and math.ceil(count / staying) or 0

local given = {}
for i = REST, #ARGV do
  given[tonumber(ARGV[i])] = true
end
local lanes = {}
for lane = 0, count - 1 do
  lanes[lane + 1] = lane
end
local leases = redis.call('HMGET', LEASES, unpack(lanes))

local answer, changes, free, mine = {share}, {}, {}, 0
local function write(lane, token, ends)
  changes[#changes + 1] = lane
  changes[#changes + 1] = string.format('%d %d %s', token, ends, RELAY)
end
local function have(lane, token)
  write(lane, token, ENDS)
  answer[#answer + 1] = lane
  answer[#answer + 1] = token
  mine = mine + 1
end
for _, lane in ipairs(lanes) do
  local token, ends, owner = string.match(leases[lane + 1] or '0 0 ', '^(%d+) (%d+) (.*)$')
  token, ends = tonumber(token), tonumber(ends)
  if ends > NOW and owner == RELAY then
    if given[lane] then
      write(lane, token, 0)
    else
      have(lane, token)
    end
  elseif ends <= NOW and not given[lane] then
    free[#free + 1] = {lane, token}
  end
end
for _, lease in ipairs(free) do
  if mine >= share then
    break
  end
  -- No lower than the time: higher than every token before, also where a crash took back the last ones.
  have(lease[1], math.max(NOW, lease[2] + 1))
end
if #changes > 0 then
  redis.call('HSET', LEASES, unpack(changes))
end
return answer
