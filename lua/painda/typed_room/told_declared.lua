-- What the members of a typed room know of a declared state: it is in the state itself, beside what there is now, so a
-- tick compares memory. The functions are those of told.lua; `most` bounds nothing here, since the schema does.

local core = require "painda.core.server"
local declared = require "painda.declared"
local varint = require "painda.typed_room.varint"

local setmetatable = setmetatable

local Told = { frames = true }
Told.__index = Told

local _M = {}

-- Of a state that the schema has made, for the room of that name.
function _M.new(schema, state, name)
  return setmetatable({ schema = schema, _state = state, _name = name }, Told)
end

function Told:begin()
  declared.take(self.schema, self._state, false, false)
  declared.set_label(self._state, self._name)
  return true
end

-- What was remembered for a change is of no use after it.
local function forget(self)
  if self._before then
    self._before:clear()
    self._before = nil
  end
end

function Told:take(_, _, _, json, frames)
  if self._before and self._before.version ~= self:version() then
    forget(self)
  end
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

-- For views: where the state is, for C.
function Told:address()
  return declared.address(self._state)
end

-- For views: has the state a map of that name?
function Told:has_map(name)
  return declared.has_map(self.schema, name)
end

-- For views: all that is known, read from what JSON says, once for each version.
function Told:tree()
  local tree, version = self._tree or core.told(), self:version()
  self._tree = tree
  if self._read ~= version then
    tree:read(self:json())
    self._read = version
  end
  return tree
end

function Told:remember()
  forget(self)
  self._before = declared.keep(self.schema, self._state)
end

function Told:keep(again)
  if again then
    return declared.keep(self.schema, self._state)
  end
  local kept = self._before
  if kept and kept.version == self:version() - 1 then
    self._before = nil
    return kept
  end
end

function Told:since(kept, _, versions)
  local ok, bytes, text
  ok, bytes, text, kept.copy = declared.since(self.schema, self._state, kept.bytes, kept.copy)
  if not ok or #bytes >= #self:snapshot() then
    return nil
  end
  return text, varint(versions) .. bytes
end

-- For views: the address of a copy of what was kept, for C, which has what became different from it. Looked for once
-- for each version.
function Told:copy_since(kept)
  local version = self:version()
  if kept.compared_with ~= version then
    kept.copy = declared.keep_since(self.schema, self._state, kept.bytes, kept.copy)
    kept.compared_with = version
  end
  return declared.address(kept.copy)
end

function Told:watch(fn)
  self._watch = declared.watch(self._state, fn)
end

function Told:clear()
  if self._watch then
    self._watch:stop()
  end
  forget(self)
  declared.set_label(self._state, nil)
  if self._tree then
    self._tree:clear()
  end
end

return _M
