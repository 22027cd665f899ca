-- What the members of a typed room know of its state, and how it became different since: the one place that compares
-- states. There are two kinds with the same functions: this one of plain tables, which are taken as they are at one
-- moment (what becomes of them afterwards changes nothing here), and told_declared.lua.
--
--   told:begin(state, most) → true: they know this; or nil and what is wrong with it
--   told:take(state, most, algorithm, json, frames) → true and the delta, as JSON and as what a frame holds: each
--       where it is asked for, else nil; false where nothing changed; nil and what is wrong, with the path, where the
--       state can't be sent. With true it is what the members know, else nothing has happened
--   told:json()       all that they know
--   told:snapshot()   the same as what a frame holds
--   told:version()    how many deltas there were
--   told.frames       does it make frames? Else frames and snapshots are never asked for
--   told:remember()   somebody will not be told of the change that is taken next
--   told:keep(again)  what they knew before the change that was taken last, or (again: there was none) what they know,
--       with kept:clear(); nil where that can't be
--   told:since(kept, algorithm, versions) → the delta from that to what they know, so many versions later, as JSON and,
--       where told makes frames, as what one holds; nil where all of it is shorter
--   told:watch(fn)    calls fn when the state was written to, where that can be noticed
--   told:tree()       all that they know, as core.told() has it
--   told:clear()      lets go of the memory

local core = require "painda.core.server"
local json = require "painda.core.json"

local setmetatable, type, pcall, tostring = setmetatable, type, pcall, tostring

local Told = { frames = false }
Told.__index = Told

local _M = {}

function _M.new(version)
  return setmetatable({ _tree = core.told(), _version = version }, Told)
end

-- The delta that the application's function finds, as JSON. It must not wait.
local function ask(tree, state, most, algorithm)
  local changed, wrong = tree:look(state, most)
  if not changed then
    return changed, wrong
  end
  local ok, delta = pcall(algorithm, json.decode(tree:json()), state)
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
  tree:commit()
  return text:sub(3, -3)
end

function Told:begin(state, most)
  local _, wrong = self._tree:take(state, most)
  return not wrong or nil, wrong
end

-- True where the state is another one, which the members know then.
local function advance(tree, state, most)
  local changed, wrong = tree:look(state, most)
  if changed then
    tree:commit()
  end
  return changed, wrong
end

function Told:take(state, most, algorithm, wants_json)
  local delta, wrong
  if not wants_json then
    delta, wrong = advance(self._tree, state, most)
  elseif type(algorithm) == "function" then
    delta, wrong = ask(self._tree, state, most, algorithm)
  else
    delta, wrong = self._tree:take(state, most, algorithm == "shallow")
  end
  if not delta then
    return delta, wrong
  end
  self._version = self._version + 1
  return true, wants_json and delta or nil
end

function Told:version()
  return self._version
end

function Told:json()
  return self._tree:json()
end

function Told:remember() end

function Told:keep()
  return core.keep(self._tree)
end

function Told:since(kept, algorithm)
  if type(algorithm) ~= "function" then
    return kept:since(self._tree)
  end
  local whole = self:json()
  local ok, delta = pcall(algorithm, json.decode(kept:json()), json.decode(whole))
  local text = ok and delta ~= nil and json.encode { { delta } }
  return text and #text - 4 < #whole and text:sub(3, -3) or nil
end

function Told:watch() end

function Told:tree()
  return self._tree
end

function Told:clear()
  self._tree:clear()
end

return _M
