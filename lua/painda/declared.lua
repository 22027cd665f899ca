-- Declared state: a schema says what a state is made of; its states live in C's memory, are written to as ordinary
-- fields, and what has changed since the last time comes out as a few packed bytes. docs/api/declared-state.md.

local ffi = require "ffi"
local core = require "painda.core.state"
local api = require "painda.api"
local memory = require "painda.declared.memory"
local types = require "painda.declared.types"
local views = require "painda.declared.views"
local record = require "painda.declared.record"
local group = require "painda.declared.group"
local migrate = require "painda.declared.migrate"
local array = require("painda.core.json").array

local C = ffi.C
local type, error, pcall, tonumber, tostring, setmetatable, getmetatable, pairs =
  type, error, pcall, tonumber, tostring, setmetatable, getmetatable, pairs
local take = memory.take

local _M = {
  map = types.map,
  list = types.list,
  text = types.text,
  quantized = types.quantized,
}

local Schema = {}
Schema.__index = Schema

local ROOT = {} -- schema[ROOT] makes views of roots, [FILL] fills them
local FILL = {}
local TYPE = {}
local POINTER = {}

-- A schema's bytes → the schema. There is one for the same bytes, after a reload too: its C types stay for ever.
local known = {}

local function build(t, bytes, pointer)
  local self = setmetatable({ bytes = bytes }, Schema)
  local context = { schema = pointer, count = 0, bind_group = group.bind }
  self[ROOT], self[FILL] = record.bind_block(t, context)
  self[TYPE], self[POINTER] = t, pointer
  known[bytes] = self
  return self
end

-- The schema of the bytes; nil and why there is none. `t` is its type where that is known.
local function schema_of(bytes, t)
  if known[bytes] then
    return known[bytes]
  end
  local reason = ffi.new "char[128]"
  local pointer = C.pp_state_schema_new(bytes, #bytes, reason, 128)
  if pointer == nil then
    return nil, ffi.string(reason)
  end
  pointer = ffi.gc(pointer, C.pp_state_schema_unref)
  local fine, made = pcall(build, t or types.from_bytes(bytes), bytes, pointer)
  if fine then
    return made
  elseif tostring(made):find "table overflow" then
    return nil, "there are too many different schemas in this process"
  end
  error(made, 0)
end

-- painda.schema { name = type, … }: a schema. Raises for what is none.
function _M.schema(fields)
  local t, problem = types.declare(fields)
  local schema
  if t then
    schema, problem = schema_of(types.to_bytes(t), t)
  end
  return schema or error("painda.schema: " .. problem, 2)
end

-- The schema that another program has sent: nil, message, code where the bytes are none.
function _M.decodeSchema(bytes)
  if type(bytes) ~= "string" then
    error(("decodeSchema takes a string of bytes, not %s"):format(types.show(bytes)), 2)
  end
  local schema, problem = schema_of(bytes)
  if not schema then
    return nil, problem, "SCHEMA_ERROR"
  end
  return schema
end

local roots = setmetatable({}, { __mode = "k" }) -- root view → its schema

local function root_of(schema, state, what, level)
  if state == nil or roots[state] ~= schema then
    local text = "schema:%s takes a state that this schema has made, not %s"
    error(text:format(what, state ~= nil and roots[state] and "one of another" or types.show(state)), level + 1)
  end
  return state.__pp_block
end

-- The same for what would change what the members of a room are taken to know.
local function free_root_of(schema, state, what)
  local root = root_of(schema, state, what, 3)
  local label = memory.label(root)
  if label then
    error(("schema:%s: the state is %s's, whose ticks do that"):format(what, label), 3)
  end
  return root
end

-- Names what the state belongs to, as in errors: `room "a"`; or nothing, with nil.
function _M.set_label(state, label)
  C.pp_state_set_label(state.__pp_block, label)
end

-- A state; with the table's values where one is given. It is at version 0, and what it has now is no change.
function Schema:new(initial)
  local block = C.pp_state_new(self[POINTER])
  local state = self[ROOT](block)
  C.pp_state_unref(block) -- the view holds it now
  roots[state] = self
  if initial ~= nil then
    views.check(block, "", self[TYPE], nil, initial, 2)
    self[FILL](state, initial)
    C.pp_state_begin(block)
  end
  return state
end

-- Gives the whole state the table's values; fields that it does not have get their initial ones.
function Schema:assign(state, values)
  local root = root_of(self, state, "assign", 2)
  views.check(root, "", self[TYPE], state, values, 2)
  self[FILL](state, values)
end

local binary, json = memory.new_buffer(), memory.new_buffer()

-- What changed since the last time, which is then forgotten: as bytes ("binary", and where nothing is given), as a JSON
-- delta ("json"), or both. nil where nothing did.
function Schema:delta(state, form)
  local root = free_root_of(self, state, "delta")
  if form == nil or form == "binary" then
    return C.pp_state_encode(root, binary, nil) == 1 and take(binary) or nil
  elseif form == "json" then
    return C.pp_state_encode(root, nil, json) == 1 and take(json) or nil
  elseif form ~= "both" then
    error("schema:delta: the form is \"binary\", \"json\" or \"both\", not " .. types.show(form), 2)
  elseif C.pp_state_encode(root, binary, json) == 1 then
    return take(binary), take(json)
  end
end

-- The whole state as of the last delta, as bytes.
function Schema:snapshot(state)
  C.pp_state_snapshot(root_of(self, state, "snapshot", 2), binary)
  return take(binary)
end

-- The same as JSON.
function Schema:json(state)
  C.pp_state_json(root_of(self, state, "json", 2), 0, json)
  return take(json)
end

function Schema:version(state)
  return root_of(self, state, "version", 2).state.version
end

-- A number that is the same for the same state as of the last delta, here and in every client.
function Schema:hash(state)
  return C.pp_state_hash(root_of(self, state, "hash", 2))
end

-- The state becomes again what it was at the last delta.
function Schema:revert(state)
  C.pp_state_revert(root_of(self, state, "revert", 2))
end

-- For typed rooms: what changed since the last time, which is then forgotten: true and each form that is asked for;
-- false where nothing did.
function _M.take(schema, state, wants_json, wants_binary)
  local root = state.__pp_block
  if C.pp_state_encode(root, wants_binary and binary or nil, wants_json and json or nil) == 0 then
    return false
  end
  return true, wants_json and take(json) or nil, wants_binary and take(binary) or nil
end

-- For typed rooms: a snapshot that is kept for who was behind, with kept:clear(). Until then the numbers of what is
-- gone are not given again, as long as there are others.
local Kept = {}
Kept.__index = Kept

function _M.keep(schema, state)
  C.pp_state_keep(state.__pp_block)
  return setmetatable({ version = schema:version(state), bytes = schema:snapshot(state), _state = state }, Kept)
end

function Kept:clear()
  C.pp_state_unkeep(self._state.__pp_block)
  self._state, self.copy = nil, nil
end

local function load_copy(schema, snapshot)
  local copy = schema:new()
  schema:load(copy, snapshot)
  return copy
end

-- What became different since the snapshot was taken: true, the delta and the same as JSON; false where there can be
-- none. The `copy` that is returned last is for the next time.
function _M.since(schema, state, snapshot, copy)
  copy = copy or load_copy(schema, snapshot)
  if C.pp_state_since(copy.__pp_block, state.__pp_block, binary, json) == 0 then
    return false, nil, nil, copy
  end
  return true, take(binary), take(json), copy
end

-- The same for views: the copy, which has what became different for C.
function _M.keep_since(schema, state, snapshot, copy)
  copy = copy or load_copy(schema, snapshot)
  C.pp_state_keep_since(copy.__pp_block, state.__pp_block)
  return copy
end

-- The address of the state's root, for C, while the state is held.
function _M.address(state)
  return tonumber(ffi.cast("uintptr_t", state.__pp_block))
end

-- Is the field of that name a map?
function _M.has_map(schema, name)
  for _, member in ipairs(schema[TYPE].members) do
    if member.name == name then
      return member.type.kind == "map"
    end
  end
  return false
end

-- Calls fn, in the next turn, when the state was written to for the first time since its last delta; from here on until
-- the object that is returned is stopped or forgotten.
function _M.watch(state, fn)
  local root = state.__pp_block
  local function tell()
    if root.touched ~= 0 then -- else a tick was earlier
      fn()
    end
  end
  tell()
  return core.watch(_M.address(state), tell)
end

function _M.is_schema(value)
  return getmetatable(value) == Schema
end

-- The schema that has made the state; nil for anything else.
function _M.schema_of(state)
  return state ~= nil and roots[state] or nil
end

local PROBLEMS = {
  [1] = { "the bytes are malformed", "DECODE_ERROR" },
  [2] = { "a delta is missing", "DELTA_GAP" },
  [3] = { "the state is not the sender's", "STATE_DESYNC" },
}

local function taken(status)
  if status == 0 then
    return true
  end
  return nil, PROBLEMS[status][1], PROBLEMS[status][2]
end

local function check_bytes(bytes, what)
  if type(bytes) ~= "string" then
    error(("schema:%s takes a string of bytes, not %s"):format(what, types.show(bytes)), 3)
  end
end

-- Takes in a delta: true; or nil, message, code, and but for STATE_DESYNC the state is as it was. What was written to
-- it here is lost.
function Schema:apply(state, bytes)
  local root = free_root_of(self, state, "apply")
  check_bytes(bytes, "apply")
  return taken(C.pp_state_apply(root, bytes, #bytes, 1, nil))
end

-- The same for clients' rooms: true and, where it is asked for, what changed as a JSON delta. The delta is one over so
-- many versions.
function _M.apply(state, bytes, wants_json, versions)
  local status = C.pp_state_apply(state.__pp_block, bytes, #bytes, versions, wants_json and json or nil)
  local change = wants_json and take(json)
  if status ~= 0 then
    return taken(status)
  end
  return true, change
end

-- Takes in a snapshot, in place of all that was there; as above.
function Schema:load(state, bytes)
  local root = free_root_of(self, state, "load")
  check_bytes(bytes, "load")
  return taken(C.pp_state_load(root, bytes, #bytes))
end

local function plain(t, value)
  if t.kind == "record" then
    local out = {}
    for i = 1, #t.members do
      local member = t.members[i]
      out[member.name] = plain(member.type, value[member.name])
    end
    return out
  elseif t.kind == "map" or t.kind == "list" then
    local out = t.kind == "list" and array {} or {}
    for key, inner in pairs(value) do
      out[key] = plain(t.of, inner)
    end
    return out
  end
  return value
end

-- The state as it is now, as plain tables.
function Schema:toTable(state)
  root_of(self, state, "toTable", 2)
  return plain(self[TYPE], state)
end

-- A state of the new schema with what the old one has, for an application that was loaded again. `old` is a state or a
-- table; `new` a schema, or a state of it whose values fields get that `old` does not have. By name, and refused where
-- something would be lost; or as migrate_fn(old's values) → values, where that is given. The new state; or nil and why
-- not, which names the field. It goes on at the old one's version.
function _M.migrate(old, new, migrate_fn)
  local before, schema = _M.schema_of(old), _M.is_schema(new) and new or _M.schema_of(new)
  if before == schema and not migrate_fn then
    return old
  end
  local initial = schema:toTable(new == schema and schema:new() or new)
  local values, wrong = migrate.values(schema[TYPE], before and before:toTable(old) or old, initial, migrate_fn)
  if not values then
    return nil, wrong
  end
  local state = schema:new(values)
  if before then
    state.__pp_block.state.version = before:version(old)
  end
  return state
end

api.class("schema", Schema, Schema)
_M.Schema = Schema

return _M
