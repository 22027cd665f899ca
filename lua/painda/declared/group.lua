-- Views of maps and lists. What they hold is found in a table first, and in memory where it is not there: the memory
-- alone decides what is an item, and one that has been removed says so in its flags.

local ffi = require "ffi"
local views = require "painda.declared.views"
local check = require "painda.declared.check"
local record = require "painda.declared.record"
local show = require("painda.declared.types").show

local C = ffi.C
local type, pairs, tostring, select, error, floor = type, pairs, tostring, select, error, math.floor

local _M = {}

local GONE = 2 -- flags below are of an item (runtime/state/state.h)
local MEMBERS = "struct pp_state_group *const __pp_at; struct pp_state_block *const __pp_block"

-- The parts that maps and lists share: entries (slot → what was met), and new(metatable) → make(parent) and the C type
-- of what that makes.
local function group(field, what, inside)
  local numbers = views.numbering()
  local entries = numbers.array()
  local function new(metatable)
    metatable.__len = function(self)
      return self.__pp_at.count
    end
    metatable.__tostring = function(self)
      return what .. " " .. views.path(self.__pp_block, inside)
    end
    local ct = views.new_type(MEMBERS, "__pp_at", metatable)
    local function make(parent)
      local at = ffi.cast("struct pp_state_group *", C.pp_state_group_of(parent, field.offset))
      local view = views.hold(ct(at, parent, numbers.take()), numbers)
      entries[view.__pp_slot] = {}
      return view
    end
    return make, ct
  end
  return entries, new
end

local function full(self, t, inside, level)
  local reason = self.__pp_at.count >= t.max and ("holds at most %d items"):format(t.max) or "the state is full"
  views.raise(self.__pp_block, inside, reason, level + 1)
end

-- Raises at the line that assigns or inserts, where the value can't be the item at that key or place.
local function check_item(self, t, inside, key, shown, value)
  local where, reason, count = check.problem(t.of, value, "")
  local path = (where or count > 0) and views.join(inside, tostring(key))
  if where then
    views.raise(self.__pp_block, where == "" and path or views.join(path, where), reason, 3)
  elseif count > 0 then
    views.check_room(self.__pp_block, path, t.of, shown, value, count + (shown == nil and 1 or 0), 3)
  end
end

local function bind_map(t, field, inside, context)
  local entries, new = group(field, "map", inside)
  local make_item, fill_item, read_item = record.bind_block(t.of, context)

  local function item_at(self, key, block)
    local view = make_item(block)
    entries[self.__pp_slot][key] = view
    return view
  end
  local function bad_key(self, key, level)
    views.raise(self.__pp_block, inside, check.key_problem(key) or "a bad key", level + 1)
  end
  local function find(self, key)
    local block = C.pp_state_find(self.__pp_at, key, #key)
    return block ~= nil and block or nil
  end
  local function met_first(self, key)
    if type(key) ~= "string" then
      bad_key(self, key, 2)
    end
    local block = find(self, key)
    if block then
      local view = item_at(self, key, block)
      return read_item and read_item(view) or not read_item and view or nil
    end
  end

  local function remove(self, key)
    local block = find(self, key)
    if block then
      C.pp_state_remove(block)
    end
    entries[self.__pp_slot][key] = nil
  end
  local function put(self, key, value)
    local block = C.pp_state_add(self.__pp_at, key, #key)
    if block == nil then
      full(self, t, inside, 3)
    end
    local view = entries[self.__pp_slot][key]
    if not view or view.__pp_block ~= block then
      view = item_at(self, key, block)
    end
    fill_item(view, value)
  end

  local metatable = {}
  if read_item then
    function metatable.__index(self, key)
      local view = entries[self.__pp_slot][key]
      if view and view.__pp_block.flags < GONE then
        return read_item(view)
      end
      return met_first(self, key)
    end
  else
    function metatable.__index(self, key)
      local view = entries[self.__pp_slot][key]
      if view and view.__pp_block.flags < GONE then
        return view
      end
      return met_first(self, key)
    end
  end
  function metatable.__newindex(self, key, value)
    if check.key_problem(key) then
      bad_key(self, key, 2)
    elseif value == nil then
      return remove(self, key)
    end
    check_item(self, t, inside, key, self[key], value)
    put(self, key, value)
  end
  function metatable.__pairs(self)
    local id, at = -1, self.__pp_at
    return function()
      repeat
        id = id + 1
        if id >= at.size then
          return nil
        end
        local block = at.items[id]
      until block ~= nil and block.flags < GONE
      local name = at.items[id].key
      local key = ffi.string(name.bytes, name.len)
      return key, self[key]
    end
  end

  local function fill(self, value)
    for key in metatable.__pairs(self) do
      if check.raw(value, key) == nil then
        remove(self, key)
      end
    end
    for key, inner in pairs(value) do
      put(self, key, inner)
    end
  end
  return new(metatable), fill
end

local function is_place(place, last)
  return type(place) == "number" and floor(place) == place and place >= 1 and place <= last
end

local function bind_list(t, field, inside, context)
  local entries, new = group(field, "list", inside)
  local make_item, fill_item, read_item = record.bind_block(t.of, context)
  local methods = {}

  local function item(self, i)
    local block = self.__pp_at.items[i - 1]
    local view = entries[self.__pp_slot][i]
    if not view or view.__pp_block ~= block then
      view = make_item(block)
      entries[self.__pp_slot][i] = view
    end
    return view
  end
  local function index(self, i)
    if type(i) ~= "number" or i < 1 or i > self.__pp_at.count or floor(i) ~= i then
      return methods[i]
    end
    local view = item(self, i)
    if read_item then
      return read_item(view)
    end
    return view
  end
  local function resize(self, count)
    if C.pp_state_resize(self.__pp_at, count) == 0 then
      full(self, t, inside, 3)
    end
  end
  local function iterate(self)
    local i = 0
    return function()
      i = i + 1
      if i <= self.__pp_at.count then
        return i, index(self, i)
      end
    end
  end

  local metatable = { __index = index, __pairs = iterate, __ipairs = iterate }
  function metatable.__newindex(self, i, value)
    local count = self.__pp_at.count
    if value == nil and i == count and count > 0 then
      return resize(self, count - 1)
    elseif not is_place(i, count + 1) or value == nil then
      views.raise(self.__pp_block, inside, ("it has %d items: write to 1 to %d, or remove the last")
        :format(count, count + 1), 2)
    end
    check_item(self, t, inside, i, index(self, i), value)
    if i > count then
      resize(self, i)
    end
    fill_item(item(self, i), value)
  end
  local make, ct = new(metatable)

  local function check_self(self, name)
    if not ffi.istype(ct, self) then
      error(("call it with a colon: list:%s(…)"):format(name), 3)
    end
  end
  local function check_place(self, name, place, last)
    if not is_place(place, last) then
      local range = last == 0 and "it has no items" or ("a place is 1 to %d"):format(last)
      views.raise(self.__pp_block, inside, ("%s was given %s: %s"):format(name, show(place), range), 3)
    end
  end
  function methods.insert(self, ...)
    check_self(self, "insert")
    local count, place, value = self.__pp_at.count, ...
    if select("#", ...) == 1 then
      place, value = count + 1, place
    end
    check_place(self, "insert", place, count + 1)
    check_item(self, t, inside, place, nil, value)
    if C.pp_state_splice_one(self.__pp_at, place - 1, 0, 1) == 0 then
      full(self, t, inside, 2)
    end
    fill_item(item(self, place), value)
  end
  function methods.remove(self, place)
    check_self(self, "remove")
    local count = self.__pp_at.count
    if place == nil and count == 0 then
      return nil
    end
    place = place == nil and count or place
    check_place(self, "remove", place, count)
    local removed = index(self, place)
    C.pp_state_splice_one(self.__pp_at, place - 1, 1, 0)
    return removed
  end

  local function fill(self, value)
    resize(self, #value)
    for i = 1, #value do
      fill_item(item(self, i), check.raw(value, i))
    end
  end
  return make, fill
end

-- The views of a map or list: make(parent's pointer) → view, fill(view, value).
function _M.bind(t, field, inside, context)
  return (t.kind == "map" and bind_map or bind_list)(t, field, inside, context)
end

return _M
