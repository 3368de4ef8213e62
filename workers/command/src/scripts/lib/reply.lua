-- What scripts answer: a word, then texts and numbers. store/redis/reply.rs reads it.

-- The worker's copy of the definition is not the one that stands: it reads the new one and asks again.
local CHANGED = {'changed'}

-- A refusal by its code, with what belongs to it.
local function rejected(code, ...)
  return {'rejected', code, ...}
end
