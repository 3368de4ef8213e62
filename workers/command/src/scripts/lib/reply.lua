-- What scripts answer: words, each on a line of its own, the first of which says what it is. In comments they stand
-- in braces. store/redis/reply.rs reads them.
local function reply(words)
  return table.concat(words, '\n')
end

-- The worker's copy of the definition is not the one that stands: it reads the new one and asks again.
local CHANGED = 'changed'

-- How long an answer stays under its idempotency key: a day, in seconds.
local ANSWER_MEMORY = 86400

-- What is stored under an idempotency key: the fingerprint of what was asked, then what came of it.
local function repeated(stored, fingerprint)
  local asked, words = string.match(stored, '^(.-)\n(.*)$')
  if asked ~= fingerprint then
    return 'mismatch'
  end
  return 'repeated\n' .. words
end

-- A refusal by its code, with what belongs to it.
local function rejected(code, ...)
  return reply({'rejected', code, ...})
end
