-- What the members of a typed room know of a declared state: it is in the state itself, beside what there is now, so a
-- tick compares memory. The functions are those of told.lua; `most` bounds nothing here, since the schema does.

local declared = require "painda.declared"

local setmetatable = setmetatable

local Told = { frames = true }
Told.__index = Told

local _M = {}

-- Of a state that the schema has made.
function _M.new(schema, state)
  return setmetatable({ schema = schema, _state = state }, Told)
end

function Told:begin()
  declared.take(self.schema, self._state, false, false)
  return true
end

function Told:take(_, _, _, json, frames)
  return declared.take(self.schema, self._state, json, frames)
end

function Told:version()
  return self.schema:version(self._state)
end

function Told:json()
  return self.schema:json(self._state)
end

function Told:snapshot()
  return self.schema:snapshot(self._state)
end

function Told:clear() end

return _M
