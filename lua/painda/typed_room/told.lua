-- What the members of a typed room know of its state, and how it became different since: the one place that compares
-- states. A state is taken as it is at one moment; what becomes of its tables afterwards changes nothing here.

local json = require "painda.core.json"

local type, next, pcall, tostring, setmetatable = type, next, pcall, tostring, setmetatable
local encode, decode = json.encode, json.decode

local Told = {}
Told.__index = Told

local _M = {}

local DELETED = { __pp_deleted = true }

local function is_map(value)
  return type(value) == "table" and getmetatable(value) == nil
end

-- The delta from one decoded state to another, nil where they are the same. Arrays are sent whole.
local function changes(old, new, shallow)
  if not (is_map(old) and is_map(new)) then
    return old ~= new and not (type(old) == "table" and encode(old) == encode(new)) and new or nil
  end
  local delta
  for key, value in next, new do
    local before = old[key]
    local change
    if before == nil or shallow and encode(before) ~= encode(value) then
      change = value
    elseif not shallow then
      change = changes(before, value)
    end
    if change ~= nil then
      delta = delta or {}
      delta[key] = change
    end
  end
  for key in next, old do
    if new[key] == nil then
      delta = delta or {}
      delta[key] = DELETED
    end
  end
  return delta
end

-- The state as JSON, encoded as deep in tables as it will be in the message, so that no peer refuses it for its depth.
local function text_of(state, most)
  local text, wrong = encode { { state } }
  if not text then
    return nil, (wrong:gsub("^payload%[1%]%[1%]", "state"))
  end
  if #text - 4 > most then
    return nil, ("the state is %d bytes as JSON, and maxStateSize is %d"):format(#text - 4, most)
  end
  return text:sub(3, -3)
end

local function delta_of(self, text, state, algorithm)
  if type(algorithm) == "function" then
    local ok, delta = pcall(algorithm, decode(self._json), state)
    if not ok then
      return nil, "diffAlgorithm failed: " .. tostring(delta)
    end
    return delta
  end
  return changes(decode(self._json), decode(text), algorithm == "shallow")
end

-- Takes the state as the members' from here on. Returns the delta as JSON; false where nothing changed; nil and what is
-- wrong, beginning with the path, where it can't be sent. Then nothing has happened.
function Told:take(state, algorithm, most)
  local text, wrong = text_of(state, most)
  if not text then
    return nil, wrong
  end
  if text == self._json then
    return false
  end
  local delta
  if self._json then
    delta, wrong = delta_of(self, text, state, algorithm)
    if wrong then
      return nil, wrong
    end
    if delta == nil then
      return false
    end
    delta, wrong = encode { { delta } }
    if not delta then
      return nil, (wrong:gsub("^payload%[1%]%[1%]", "delta"))
    end
    delta = delta:sub(3, -3)
  end
  self._json = text
  return delta or false
end

-- The whole of it, as JSON.
function Told:json()
  return self._json
end

function _M.new()
  return setmetatable({ _json = false }, Told)
end

return _M
