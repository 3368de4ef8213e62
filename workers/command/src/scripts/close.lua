-- Closes the sales for good and keeps the seats. Again: nothing.
--
-- KEYS, ARGV before OWN: lib/head.lua
-- Returns {'provisioned', now, sequence} | 'rejected'
--
-- include: keys, reply, head, outbox
if not event.revision then
  return rejected('EVENT_NOT_FOUND')
end
local definition, closed = unpack(redis.call('HMGET', META, 'definition', 'closed'))
if closed ~= '1' then
  append('event.deleted', CORRELATION, ACTOR, {definition = definition})
  redis.call('HSET', META, 'revision', COMMAND, 'closed', '1')
  commit()
end
return done({'provisioned', NOW, event.sequence})
