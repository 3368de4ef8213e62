-- What scripts answer: words, each on a line of its own, the first of which says what it is. store/redis/reply.rs
-- declares the words of answers and reads them.
local function reply(words)
  return table.concat(words, '\n')
end

-- The worker's copy of the definition, or what it decided on, is not what stands: it reads again and asks again.
local CHANGED = 'changed'
-- The worker decides this one itself.
local COLD = 'cold'

-- What is stored under an idempotency key: the fingerprint of what was asked, how the rest is written, then what came
-- of it.
local function repeated(stored, fingerprint)
  local asked, format, words = string.match(stored, '^(.-)\n(%d+)\n(.*)$')
  if asked ~= fingerprint then
    return 'mismatch'
  end
  if tonumber(format) ~= ANSWER_FORMAT then
    return redis.error_reply('FORMAT a stored answer is written in format ' .. format .. ', this version reads '
      .. ANSWER_FORMAT .. ': repeat with another Idempotency-Key')
  end
  return 'repeated\n' .. words
end

-- Whether a stored answer was given at this moment of the SeatingEvent's time or before. One that says no moment as this
-- version writes it is told by its format.
local function is_of_before(stored, moment)
  local at = string.match(stored, '^[^\n]*\n' .. ANSWER_FORMAT .. '\n[^\n]*\n[^\n]*\n[^\n]*\n(%d+)')
  return at ~= nil and tonumber(at) <= moment
end

-- The words of an answer, those that have a name from `named`; what follows them is added by whoever asks.
local function said(kind, named)
  local words = {kind, string.format('%d', NOW)}
  for i, name in ipairs(ANSWERS[kind]) do
    words[i + 2] = named[name]
  end
  return words
end

-- A refusal by its code, with what belongs to it.
local function rejected(code, ...)
  return reply({'rejected', code, ...})
end
