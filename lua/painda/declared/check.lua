-- Whether a value fits a declared type, and what is said where it does not.

local ffi = require "ffi"
local nearest = require("painda.options").nearest
local types = require "painda.declared.types"

local type, pairs, ipairs, tostring, rawget = type, pairs, ipairs, tostring, rawget
local concat, floor = table.concat, math.floor
local show, RANGES, IS_FLOAT = types.show, types.RANGES, types.IS_FLOAT

local _M = {}

-- What the type takes, in words.
function _M.expected(t)
  local range = RANGES[t.kind]
  if IS_FLOAT[t.kind] then
    return "a finite number"
  elseif range then
    return ("a whole number from %.0f to %.0f"):format(range[1], range[2])
  elseif t.kind == "bool" then
    return "true or false"
  elseif t.kind == "string" then
    return ("a string of at most %d bytes of UTF-8"):format(t.max)
  elseif t.kind == "quantized" then
    return ("a number from %.14g to %.14g"):format(t.min, t.max)
  end
  return t.kind == "map" and "a table of items by string keys" or t.kind == "list" and "a list" or "a table of fields"
end

local problem
local counted -- items of maps and lists that a look has come by

-- Whether the value is a record, map or list of a state: set by views.lua.
function _M.is_view()
  return false
end

local function join(path, name)
  return path == "" and name or path .. "." .. name
end

local function member_of(t, name)
  for _, member in ipairs(t.members) do
    if member.name == name then
      return member
    end
  end
end

function _M.unknown_field(t, name)
  local names = {}
  for i, member in ipairs(t.members) do
    names[i] = member.name
  end
  local near = type(name) == "string" and nearest(name, names)
  return ("there is no field %s, %s"):format(show(name),
    near and ("did you mean %q?"):format(near) or "the fields are " .. concat(names, ", "))
end

function _M.key_problem(key)
  if type(key) ~= "string" then
    return ("keys are strings, not %s"):format(show(key))
  elseif ffi.C.pp_state_name_is_good(key, #key) == 0 then
    return ("%s is no key: 1 to %d bytes of UTF-8, not one that begins with __pp_, nor __proto__, constructor or "
      .. "prototype"):format(show(key), 255)
  end
end

local function record_problem(t, value, path)
  for name, inner in pairs(value) do
    local member = member_of(t, name)
    if not member then
      return path, _M.unknown_field(t, name)
    end
    local where, reason = problem(member.type, inner, join(path, name))
    if where then
      return where, reason
    end
  end
end

-- What is in a table itself, as pairs has it; or in a record or list of a state.
local function raw(value, key)
  if type(value) == "table" then
    return rawget(value, key)
  end
  return value[key]
end
_M.raw = raw

local function map_problem(t, value, path)
  local count = 0
  for key, inner in pairs(value) do
    local bad = _M.key_problem(key)
    if bad then
      return path, bad
    end
    local where, reason = problem(t.of, inner, join(path, key))
    if where then
      return where, reason
    end
    count = count + 1
  end
  if count > t.max then
    return path, ("at most %d items, not %d"):format(t.max, count)
  end
  counted = counted + count
end

local function list_problem(t, value, path)
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  if count ~= #value then
    return path, "a list has the keys 1 to its length and no others"
  elseif count > t.max then
    return path, ("at most %d items, not %d"):format(t.max, count)
  end
  counted = counted + count
  for i = 1, count do
    local where, reason = problem(t.of, raw(value, i), join(path, tostring(i)))
    if where then
      return where, reason
    end
  end
end

local function fits(t, value)
  local range = RANGES[t.kind]
  if range then
    return type(value) == "number" and value >= range[1] and value <= range[2]
      and (IS_FLOAT[t.kind] or floor(value) == value)
  elseif t.kind == "quantized" then
    return type(value) == "number" and value >= t.min and value <= t.max
  elseif t.kind == "bool" then
    return type(value) == "boolean"
  end
  return type(value) == "string" and #value <= t.max and ffi.C.pp_state_text_is_good(value, #value) == 1
end

local INSIDE = { record = record_problem, map = map_problem, list = list_problem }

-- Where in the value something does not fit the type, and why; nil where all does.
function problem(t, value, path)
  local inside = INSIDE[t.kind]
  if not inside then
    if not fits(t, value) then
      return path, ("%s expected, not %s"):format(_M.expected(t), show(value))
    end
  elseif type(value) ~= "table" and not _M.is_view(value) then
    return path, ("%s expected, not %s"):format(_M.expected(t), show(value))
  else
    return inside(t, value, path)
  end
end

-- The same, and how many items of maps and lists there are in the value.
function _M.problem(t, value, path)
  counted = 0
  local where, reason = problem(t, value, path)
  return where, reason, counted
end

-- How many items more there are once the value has been assigned to `shown`, which fits the type; nil: to nothing.
function _M.new_items(t, shown, value)
  local count = 0
  if t.kind == "record" then
    for _, member in ipairs(t.members) do
      local inner = raw(value, member.name)
      count = count + (inner ~= nil and _M.new_items(member.type, shown and shown[member.name], inner) or 0)
    end
  elseif t.kind == "map" or t.kind == "list" then
    for key, inner in pairs(value) do
      local now = shown and shown[key]
      count = count + (now == nil and 1 or 0) + _M.new_items(t.of, now, inner)
    end
  end
  return count
end

return _M
