-- The keys in ARGV from `first` on, each followed by '1' if the chart has the seat; or nil and the refusal that names
-- those that it does not have.
local function chart_seats(first)
  local keys, unknown = {}, {}
  for i = first, #ARGV, 2 do
    keys[#keys + 1] = ARGV[i]
    if ARGV[i + 1] ~= '1' then
      unknown[#unknown + 1] = ARGV[i]
      unknown[#unknown + 1] = 'NOT_FOUND'
    end
  end
  if #unknown > 0 then
    return nil, rejected('SEAT_NOT_FOUND', unpack(unknown))
  end
  return keys
end
