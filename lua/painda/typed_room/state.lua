-- The state that a typed room has: a plain table or a declared state, which no other room has, and what its members
-- know of it (told.lua, told_declared.lua).

local Error = require "painda.error"
local reload = require "painda.reload"
local ticks = require "painda.typed_room.ticks"
local told = require "painda.typed_room.told"

local setmetatable, type, error, pcall, tostring = setmetatable, type, error, pcall, tostring
local require, loaded = require, package.loaded

local _M = {}

local owners = setmetatable({}, { __mode = "kv" }) -- state → the room that it is the state of

-- Raises where the state is another room's: they would change each other's.
local function check_owner(room, state, level)
  local owner = owners[state]
  if owner and owner ~= room and not owner.disposed and (owner._served or owner._loader == reload.generation().id) then
    local text = "this table is the state of the room %q already: give each room its own, or a function that makes it"
    error(text:format(owner.id), level + 1)
  end
end

local function check_table(state, level)
  if type(state) ~= "table" then
    error(("a room's state is a table or a declared state, not a %s"):format(type(state)), level + 1)
  end
end

-- The room has a state no more.
function _M.disown(room)
  if room._state then
    owners[room._state] = nil
    room._told:clear()
  end
end

local function own(room, state, state_told)
  if room._told ~= state_told then
    _M.disown(room)
  elseif room._state then
    owners[room._state] = nil
  end
  owners[state] = room
  room._state, room._told = state, state_told
end

-- The schema and the state where a declared one is given: a state, or a schema, which makes one.
local function declared_of(initial)
  local declared = loaded["painda.declared"] -- else there is none
  if declared and declared.is_schema(initial) then
    return initial, initial:new()
  end
  local schema = declared and declared.schema_of(initial)
  return schema, schema and initial
end

local function most_bytes(room)
  local server_options = room.server.options or reload.registrations(room.server).options
  return room._options.maxStateSize or server_options.maxBackpressure / 2
end

-- Gives the room its first state, or another one: a table (nil: an empty one), a declared state, a schema, or a
-- function that makes one of them. Raises where that can't be one, and has then changed nothing.
function _M.begin(room, initial, level)
  if type(initial) == "function" then
    initial = initial()
  end
  local schema, state = declared_of(initial)
  local state_told
  if schema and room._options.diffAlgorithm ~= "deep" then
    error(("room %q: diffAlgorithm is for plain states: a declared one knows what changed"):format(room.id), level + 1)
  elseif schema then
    state_told = require("painda.typed_room.told_declared").new(schema, state, tostring(room))
  else
    state = initial == nil and {} or initial
    check_table(state, level + 1)
    state_told = told.new(room._version)
  end
  check_owner(room, state, level + 1)
  local _, wrong = state_told:begin(state, most_bytes(room))
  if wrong then
    Error.raise(("room %q: %s"):format(room.id, wrong), "ROOM_ERROR", level + 1)
  end
  own(room, state, state_told)
  room._version = state_told:version()
  state_told:watch(function()
    _M.touch(room)
  end)
end

-- The state may have changed: it is looked at by the next tick.
function _M.touch(room)
  room._dirty = true
  ticks.arm(room)
end

-- Another table is the room's state from here on; a declared state gets its values. Members are told of it by the next
-- tick.
function _M.set(room, state, level)
  local schema = room._told.schema
  if not schema then
    check_table(state, level + 1)
    check_owner(room, state, level + 1)
    return own(room, state, room._told)
  end
  local fine, wrong = pcall(schema.assign, schema, room._state, state)
  if not fine then
    error(wrong, level + 1)
  end
end

return _M
