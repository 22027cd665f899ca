-- Deltas: what changed in a state, as a value that is sent in its place. docs/protocol.md says how they are written.
--
--   local delta = gaming.diff(before, after)        nil where nothing changed
--   state = gaming.patchImmutable(state, delta)     a new state, which shares all that did not change
--
-- Comparing is C's. Patching is done here, on the tables themselves: it looks at what the delta names and nothing else.

local core = require "painda.core.delta"
local api = require "painda.api"
local json = require "painda.core.json"
local options = require "painda.options"

local getmetatable, setmetatable, type, next, pairs = getmetatable, setmetatable, type, next, pairs
local error, tostring, tonumber, pcall, rawget = error, tostring, tonumber, pcall, rawget
local floor, find, sub = math.floor, string.find, string.sub
local ARRAY = getmetatable(json.array {})

local MAX_DEPTH = 60 -- of a state, as in delta.h
local MAX_OPS = 1024 -- for one array

local _M = {}

-- What stands in a delta for a member that is gone.
_M.PP_DELETED = setmetatable({ __pp_deleted = true }, {
  __newindex = function()
    error("PP_DELETED can't be changed", 2)
  end,
  __tostring = function()
    return "PP_DELETED"
  end,
})

function _M.isDeleted(value)
  return type(value) == "table" and value.__pp_deleted == true
end

function _M.isArrayOps(value)
  return type(value) == "table" and type(value.__pp_array_ops) == "table"
end

local isDeleted = _M.isDeleted

-- What makes `after` out of `before`; nil where nothing changed. Raises where one of them can't be sent, naming the
-- place.
function _M.diff(before, after)
  local delta, wrong = core.diff(before, after)
  if wrong then
    error("gaming.diff: " .. wrong, 2)
  end
  return delta
end

-- --- patching ---

-- What a bad delta raises within patching, and what tells it from an error of ours.
local Refusal = {}

local function refuse(why)
  error(setmetatable({ why = why }, Refusal), 0)
end

local function is_array(value)
  return type(value) == "table" and (getmetatable(value) == ARRAY or rawget(value, 1) ~= nil)
end

local function is_map(value)
  return type(value) == "table" and not is_array(value)
end

local function shallow_copy(from)
  local copy = {}
  for key, value in next, from do
    copy[key] = value
  end
  return setmetatable(copy, getmetatable(from))
end

-- The table to write to in place of `old`. One that is patched in place is remembered as it was, for a delta that turns
-- out to be bad later on.
local function writable(journal, old)
  if not journal then
    return shallow_copy(old)
  end
  journal[#journal + 1] = { old, shallow_copy(old) }
  return old
end

local function restore(target, from)
  for key in pairs(target) do
    target[key] = nil
  end
  for key, value in next, from do
    target[key] = value
  end
  setmetatable(target, getmetatable(from))
end

-- A value of a delta that is taken as it is, to stand at that depth of the state. What is patched in place later on
-- must not change the delta, so it gets a copy.
local function literal(journal, value, depth)
  if type(value) ~= "table" then
    return value
  elseif depth >= MAX_DEPTH then
    refuse "the result is nested too deep"
  end
  local copy = journal and setmetatable({}, is_array(value) and ARRAY or nil)
  for key, child in next, value do
    child = literal(journal, child, depth + 1)
    if copy then
      copy[key] = child
    end
  end
  return copy or value
end

-- The reserved key of a delta, which it has alone; nil where it has none.
local function mark_of(delta)
  for key in next, delta do
    if type(key) ~= "string" then
      refuse "a key of the delta is no string"
    elseif sub(key, 1, 5) == "__pp_" and #key > 5 then
      if next(delta, next(delta)) ~= nil then
        refuse "a delta has a reserved key beside others"
      end
      return key
    end
  end
end

local merge

local function merge_map(journal, old, delta, depth)
  local target = is_map(old) and writable(journal, old) or {}
  for key, change in next, delta do
    if isDeleted(change) and next(change, next(change)) == nil then
      target[key] = nil
    else
      target[key] = merge(journal, target[key], change, depth + 1)
    end
  end
  return target
end

local function check_index(index, max)
  if type(index) ~= "number" or index ~= floor(index) then
    refuse "an array operation lacks a number"
  elseif index < 0 or index > max then
    refuse "an array operation points outside of the array"
  end
  return index
end

local OPS = {}

function OPS.set(journal, target, op, depth)
  local index = check_index(op.index, #target - 1)
  if op.value == nil then
    refuse "a set operation has no value"
  end
  target[index + 1] = literal(journal, op.value, depth + 1)
end

function OPS.splice(journal, target, op, depth)
  local count, items = #target, op.items
  if type(items) ~= "table" or is_map(items) and next(items) ~= nil then
    refuse "a splice operation has no array of items"
  end
  local index = check_index(op.index, count)
  local deleted = check_index(op.deleteCount, count - index)
  local grown = #items - deleted
  if grown > 0 then
    for i = count, index + deleted + 1, -1 do
      target[i + grown] = target[i]
    end
  elseif grown < 0 then
    for i = index + deleted + 1, count do
      target[i + grown] = target[i]
    end
    for i = count + grown + 1, count do
      target[i] = nil
    end
  end
  for i = 1, #items do
    target[index + i] = literal(journal, items[i], depth + 1)
  end
end

function OPS.patch(journal, target, op, depth)
  if not is_map(op.items) then
    refuse "a patch operation has no object of items"
  end
  for key, change in next, op.items do
    local index = tonumber(find(key, "^[1-9]%d*$") and key or key == "0" and 0)
    check_index(index or -1, #target - 1)
    target[index + 1] = merge(journal, target[index + 1], change, depth + 1)
  end
end

local function merge_array(journal, old, ops, depth)
  if not is_array(old) then
    refuse "array operations for what is no array"
  elseif not is_array(ops) then
    refuse "array operations that are no list"
  elseif #ops > MAX_OPS then
    refuse "more than 1024 operations for one array"
  end
  local target = setmetatable(writable(journal, old), ARRAY)
  for i = 1, #ops do
    local op = ops[i]
    local apply = type(op) == "table" and OPS[op.op]
    if not apply then
      refuse "an array operation is neither set, splice nor patch"
    end
    apply(journal, target, op, depth)
  end
  return target
end

function merge(journal, old, delta, depth)
  if not is_map(delta) then
    return literal(journal, delta, depth)
  elseif depth >= MAX_DEPTH then
    refuse "the result is nested too deep"
  end
  local mark = mark_of(delta)
  if not mark then
    return merge_map(journal, old, delta, depth)
  elseif mark == "__pp_value" then
    return literal(journal, delta.__pp_value, depth)
  elseif mark == "__pp_array_ops" then
    return merge_array(journal, old, delta.__pp_array_ops, depth)
  end
  local deletes = mark == "__pp_deleted"
  refuse(deletes and "a deletion of what can't be deleted" or "a delta has a reserved key that is not known")
end

local function try(journal, state, delta)
  if delta == nil then -- nothing changed
    return state
  end
  local ok, result = pcall(merge, journal, state, delta, 0)
  if ok then
    return result
  end
  for i = #(journal or ""), 1, -1 do
    restore(journal[i][1], journal[i][2])
  end
  if getmetatable(result) ~= Refusal then
    error(result, 0)
  end
  return nil, result.why
end

-- Changes `state` to what the delta says and returns it; where it is no table, or becomes none, what it became. Nil and
-- a reason where the delta does not fit: nothing is changed then.
function _M.patch(state, delta)
  local result, wrong = try({}, state, delta)
  if type(result) == "table" and type(state) == "table" and result ~= state then -- replaced as a whole
    restore(state, result)
    return state
  end
  return result, wrong
end

-- The same as a new state. What the delta does not name is shared with the old one, which stays as it is.
function _M.patchImmutable(state, delta)
  return try(nil, state, delta)
end

-- --- states that are watched ---

local StateManager = {}
StateManager.__index = StateManager
StateManager.__name = "painda.StateManager"

-- A state and what of it was told last. The first delta is from the state as it is given.
function _M.StateManager(initial)
  if initial ~= nil and type(initial) ~= "table" then
    error(("StateManager takes the state, a table, not %s"):format(options.shown(initial)), 2)
  end
  local self = setmetatable({ _state = initial == nil and {} or initial, _seen = core.snapshot() }, StateManager)
  local _, wrong = self._seen:step(self._state)
  if wrong then
    error("StateManager: " .. wrong, 2)
  end
  return self
end

-- Changes the state: fn(state) does, or may return another one; or a table of changes is merged in, as a delta is.
function StateManager:update(change)
  local state, wrong
  if type(change) == "function" then
    state = change(self._state)
    if state == nil then
      state = self._state
    end
  elseif type(change) == "table" then
    state, wrong = _M.patch(self._state, change)
    if wrong then
      error("state:update: " .. wrong, 2)
    end
  else
    error(("state:update takes a function(state) or a table of changes, not a %s"):format(type(change)), 2)
  end
  self._state = state
  return self
end

function StateManager:getState()
  return self._state
end

function StateManager:setState(state)
  if type(state) ~= "table" then
    error(("state:setState takes the state, a table, not %s"):format(options.shown(state)), 2)
  end
  self._state = state
  return self
end

-- What changed since it was asked last, or nil. Raises where the state can't be sent; then what was told stays.
function StateManager:getDelta()
  local delta, wrong = self._seen:step(self._state)
  if wrong then
    error("state:getDelta: " .. tostring(wrong), 2)
  end
  return delta
end

api.class("state", StateManager, StateManager)

return api.module("painda.gaming", _M)
