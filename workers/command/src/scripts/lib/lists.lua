-- Lists in ARGV from REST on, each with how many words it has.
local next_arg = REST

local function take_list()
  local count = tonumber(ARGV[next_arg])
  local list = {}
  for i = next_arg + 1, next_arg + count do
    list[#list + 1] = ARGV[i]
  end
  next_arg = next_arg + 1 + count
  return list
end

-- Calls `act` with slices of a list, for `unpack` is bounded.
local function in_slices(list, act)
  for first = 1, #list, 1000 do
    act(unpack(list, first, math.min(first + 999, #list)))
  end
end

-- The values of a hash's fields, false where there is none.
local function read_all(hash, fields)
  local values = {}
  in_slices(fields, function(...)
    for _, value in ipairs(redis.call('HMGET', hash, ...)) do
      values[#values + 1] = value
    end
  end)
  return values
end
