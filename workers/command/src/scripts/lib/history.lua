-- The fence of I7, which every script of a SeatingEvent meets first. A connection tells a script which history its server
-- has, `<run id>:<replication id>`; the server may have followed another one since and come back, and only the server
-- knows. store/redis/history.rs says what a history is.
-- What a SeatingEvent has in place of one while another store may have sold its seats is SPLIT.
local function is_history(history)
  local id = string.sub(history, string.find(history, ':', 1, true) + 1)
  return string.find(redis.call('INFO', 'replication'), 'master_replid:' .. id, 1, true) ~= nil
end

-- The error where this server does not have `history`, or where the SeatingEvent is `there` and was recovered last for
-- another one.
local function fence(history, there, recovered)
  if not is_history(history) then
    return redis.error_reply('HISTORY this server has another one now')
  end
  if there and recovered == SPLIT then
    return redis.error_reply('SPLIT another redis sells the same seats: what it sold is read back from the log first')
  end
  if there and recovered ~= history then
    return redis.error_reply('RECOVERING seats are being read back from the log')
  end
end
