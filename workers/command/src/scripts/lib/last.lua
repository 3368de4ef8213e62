-- The last domain event of a SeatingEvent, as `last` of meta keeps it: the sequence and the time that meta has with it, then
-- its id. A worker of the version before changes these two and not this: where they differ, it is of no use.
local function last_event(sequence, time, id)
  return string.format('%d %d %s', sequence, time, id)
end
