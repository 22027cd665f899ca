-- Lua source as tokens, for `painda check`. The source compiles already, so nothing here looks for mistakes.
--
--   token = { kind = "name" | "keyword" | "string" | "number" | "op" | "end", text, line, notes }
--
-- The text of a string is its value where that is plain (nil for one with escapes). `notes` are the types that comments
-- above the token give to parameters: { client = "painda.Client" }.

local ipairs, tonumber = ipairs, tonumber

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function if in local nil not or repeat return then true until
  while]]):gmatch "%a+" do
  KEYWORDS[word] = true
end

local OPERATORS = { "^%.%.%.", "^%.%.", "^::", "^[=~<>]=", "^[%p]" }

local _M = {}

local function count_lines(text)
  local _, count = text:gsub("\n", "")
  return count
end

-- The end of a long bracket that begins at `at`, and what is in it; nil where there is none.
local function long_bracket(source, at)
  local level = source:match("^%[(=*)%[", at)
  if not level then
    return nil
  end
  local first = at + #level + 2
  local _, last = source:find("]" .. level .. "]", first, true)
  last = last or #source
  return last + 1, source:sub(first, last - #level - 2)
end

-- The end of a comment that begins at `at`, and its text.
local function comment(source, at)
  local after = long_bracket(source, at + 2)
  if after then
    return after, ""
  end
  local stop = source:find("\n", at, true) or #source + 1
  return stop, source:sub(at, stop - 1)
end

-- The end of a quoted string, and its value where it has no escapes.
local function quoted(source, at)
  local quote, stop = source:sub(at, at), at + 1
  local plain = true
  while true do
    local character = source:sub(stop, stop)
    if character == quote or character == "" then
      break
    elseif character == "\\" then
      plain, stop = false, stop + 1
    end
    stop = stop + 1
  end
  return stop + 1, plain and source:sub(at + 1, stop - 1) or nil
end

local function next_token(source, at)
  local name = source:match("^[%a_\128-\255][%w_\128-\255]*", at)
  if name then
    return KEYWORDS[name] and "keyword" or "name", at + #name, name
  end
  local number = source:match("^0[xX][%x.]+[pP]?[+-]?%w*", at) or source:match("^%.?%d[%w.]*[+-]?%w*", at)
  if number then
    number = number:match "^0[xX]" and number or number:match "^[%d.]+[eE][+-]?%d+" or number:match "^[%w.]+"
    return "number", at + #number, tonumber(number)
  end
  local character = source:sub(at, at)
  if character == '"' or character == "'" then
    local after, value = quoted(source, at)
    return "string", after, value
  end
  local after, value = long_bracket(source, at)
  if after then
    return "string", after, value
  end
  for _, pattern in ipairs(OPERATORS) do
    local operator = source:match(pattern, at)
    if operator then
      return "op", at + #operator, operator
    end
  end
  return "op", at + 1, character
end

-- Adds what a comment says of parameters.
local function note(notes, text)
  local name, kind = text:match "^%-%-%-@param%s+([%w_]+)%??%s+(%S+)"
  if not name then
    return notes
  end
  notes = notes or {}
  notes[name] = kind
  return notes
end

-- All tokens, the last of kind "end"; and the set of lines that ask not to be looked at.
function _M.tokens(source)
  local tokens, silent = {}, {}
  local at, line, notes = source:match "^#[^\n]*()" or 1, 1, nil
  while true do
    local from = at
    at = source:match("^%s*()", at)
    line = line + count_lines(source:sub(from, at - 1))
    if at > #source then
      tokens[#tokens + 1] = { kind = "end", line = line }
      return tokens, silent
    elseif source:find("^%-%-", at) then
      local after, text = comment(source, at)
      if text:find "luacheck:%s*ignore" then
        silent[line] = true
      end
      notes = note(notes, text)
      line = line + count_lines(source:sub(at, after - 1))
      at = after
    else
      local kind, after, text = next_token(source, at)
      tokens[#tokens + 1] = { kind = kind, text = text, line = line, notes = notes }
      notes = nil
      line = line + count_lines(source:sub(at, after - 1))
      at = after
    end
  end
end

return _M
