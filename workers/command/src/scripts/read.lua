-- Reads what the worker decides on, all of it at one moment. Writes nothing.
--
-- KEYS of a SeatingEvent; ARGV: the head, Reading (store/redis/wire/args.rs); from REST on how many seats, holds and
-- reservations (failed ones too), each with their names
-- Returns the time, the sequence, then the text of each record in order, nil where there is none |
--   'repeated' | 'mismatch' | 'changed'
--
-- include: reply, head, lists
if (event.revision or '') ~= REVISION then
  return CHANGED
end
local answer = {NOW, event.sequence}
for _, hash in ipairs({SEATS, HOLDS, RESERVATIONS}) do
  for _, text in ipairs(read_all(hash, take_list())) do
    answer[#answer + 1] = text
  end
end
return answer
