-- What scripts answer: a word, then texts and numbers. store/redis/reply.rs reads it.

-- The worker's copy of the definition is not the one that stands: it reads the new one and asks again.
local CHANGED = {'changed'}

-- How long an answer stays under its idempotency key: a day, in seconds.
local ANSWER_MEMORY = 86400

-- What is stored under an idempotency key: the fingerprint of what was asked, then the words of the answer.
local function repeated(stored, fingerprint)
  local words = {}
  for word in string.gmatch(stored, '[^\n]+') do
    words[#words + 1] = word
  end
  if words[1] ~= fingerprint then
    return {'mismatch'}
  end
  words[1] = 'repeated'
  return words
end

-- A refusal by its code, with what belongs to it.
local function rejected(code, ...)
  return {'rejected', code, ...}
end
