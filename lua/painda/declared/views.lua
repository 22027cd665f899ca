-- What the views of states have in common: records, maps and lists as Lua meets them, which are small C objects that
-- hold a pointer to the memory. They are made when first met, and kept as long as what they show is in the state.
--
-- A view counts as one reference to its block (runtime/state/state.h), so memory that Lua can reach is not freed. The
-- names of their members begin so that no field and no key can be the same, and they are constant: a key that a peer
-- has chosen may be one of them, and then nothing but an error comes of it.

local ffi = require "ffi"
local memory = require "painda.declared.memory"
local check = require "painda.declared.check"

local type, ipairs, error, tonumber = type, ipairs, error, tonumber
local C = ffi.C
local unref = C.pp_state_unref

local _M = {}

local view_types = {} -- number of a C type → true

function check.is_view(value)
  return type(value) == "cdata" and view_types[tonumber(ffi.typeof(value))] == true
end

-- The C type of views that have `members`, which hold the block that they are of or in. Those whose `shown` is the same
-- are equal.
function _M.new_type(members, shown, metatable)
  local ct = memory.new_type("struct { " .. members .. "; const uint32_t __pp_slot; }")
  metatable.__eq = function(a, b)
    return ffi.istype(ct, a) and ffi.istype(ct, b) and a[shown] == b[shown]
  end
  view_types[tonumber(ct)] = true
  return ffi.metatype(ct, metatable)
end

-- Views of one type have numbers, by which arrays hold what hangs on them. Those of views that are gone are given
-- again.
function _M.numbering()
  local free, arrays, last = {}, {}, 0
  local numbers = {}

  function numbers.array()
    local array = {}
    arrays[#arrays + 1] = array
    return array
  end

  function numbers.take()
    local count = #free
    if count > 0 then
      local slot = free[count]
      free[count] = nil
      return slot
    end
    last = last + 1
    for _, array in ipairs(arrays) do
      array[last] = false
    end
    return last
  end

  function numbers.release(view)
    local slot = view.__pp_slot
    for _, array in ipairs(arrays) do
      array[slot] = false
    end
    free[#free + 1] = slot
    unref(view.__pp_block)
  end

  return numbers
end

-- Counts the view, which was just made, as a reference to its block until it is collected.
function _M.hold(view, numbers)
  local block = view.__pp_block
  block.refs = block.refs + 1
  return ffi.gc(view, numbers.release)
end

function _M.join(path, name)
  return path == "" and name or path .. "." .. name
end

-- Where something stands that is `inside` a block.
function _M.path(block, inside)
  local path = memory.path(block)
  return inside == "" and path or _M.join(path, inside)
end

-- Raises, at the line that is `level` calls up, for what is `inside` a block. Of a room's state the room is named.
function _M.raise(block, inside, reason, level)
  local path, label = inside, nil
  if block then
    path, label = _M.path(block, inside), memory.label(block)
  end
  error((label and label .. ": " or "") .. (path == "" and "the state" or path) .. ": " .. reason, level + 1)
end

-- Raises where the state has no room for the items that the value has more than what is `shown` at its place (nil:
-- nothing). `most` is how many they are at most.
function _M.check_room(block, inside, t, shown, value, most, level)
  local room = most > 0 and C.pp_state_room(block) or most
  if room < most and check.new_items(t, shown, value) > room then
    _M.raise(block, inside, ("the state is full: there is room for %d items more"):format(room), level + 1)
  end
end

-- Raises where the value does not fit.
function _M.check(block, inside, t, shown, value, level)
  local where, reason, count = check.problem(t, value, inside)
  if where then
    _M.raise(block, where, reason, level + 1)
  end
  _M.check_room(block, inside, t, shown, value, count, level + 1)
end

return _M
