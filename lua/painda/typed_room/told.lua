-- What the members of a typed room know of its state, and how it became different since: the one place that compares
-- states. A state is taken as it is at one moment; what becomes of its tables afterwards changes nothing here.

local core = require "painda.core.server"
local json = require "painda.core.json"

local type, pcall, tostring = type, pcall, tostring

local _M = {}

_M.new = core.told

-- The delta that the application's function finds, as JSON. It must not wait.
local function ask(told, state, algorithm, most)
  local changed, wrong = told:look(state, most)
  if not changed then
    return changed, wrong
  end
  local ok, delta = pcall(algorithm, json.decode(told:json()), state)
  if not ok then
    return nil, "diffAlgorithm failed: " .. tostring(delta)
  elseif delta == nil then
    return false
  end
  local text
  text, wrong = json.encode { { delta } } -- as deep in tables as in the message
  if not text then
    return nil, (wrong:gsub("^payload%[1%]%[1%]", "delta"))
  end
  told:commit()
  return text:sub(3, -3)
end

-- Takes the state as the members' from here on. Returns the delta as JSON; false where nothing changed; nil and what is
-- wrong, with the path, where it can't be sent. Then nothing has happened.
function _M.take(told, state, algorithm, most)
  if type(algorithm) == "function" then
    return ask(told, state, algorithm, most)
  end
  return told:take(state, most, algorithm == "shallow")
end

return _M
