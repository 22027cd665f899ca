-- Views of records. In compiled code the key of a read or write is a constant, so that of the chain of comparisons
-- below nothing is left but one load, or one store and the check of what is stored.

local ffi = require "ffi"
local views = require "painda.declared.views"
local check = require "painda.declared.check"
local types = require "painda.declared.types"
local memory = require "painda.declared.memory"

local raw = check.raw
local type, ipairs, loadstring, assert = type, ipairs, loadstring, assert
local concat, floor, min, max = table.concat, math.floor, math.min, math.max

local _M = {}

local function text(pointer)
  return pointer ~= nil and ffi.string(pointer.bytes, pointer.len) or ""
end

local function read_code(field)
  local at = "self.__pp_block." .. field.place
  if field.type.kind == "bool" then
    return at .. " ~= 0"
  end
  return field.type.kind == "string" and ("text(%s)"):format(at) or at
end

-- What stores a value that passes, and returns.
local STORE = [[%s then
      local at = self.__pp_block
      if at.touched == 0 then touch(at) end
      at.%s = %s
      return
    end]]

local function write_code(field)
  local t = field.type
  if t.kind == "bool" then
    return STORE:format('if type(value) == "boolean"', field.place, "value and 1 or 0")
  elseif t.kind == "string" then
    return ([[if type(value) == "string" and #value <= %d and set_text(self.__pp_block, %d, value, #value) == 1 then
      return
    end]]):format(t.max, field.offset)
  end
  local range = types.RANGES[t.kind] or { t.min, t.max }
  local whole = types.RANGES[t.kind] and not types.IS_FLOAT[t.kind] and " and floor(value) == value" or ""
  local condition = ('if type(value) == "number" and value >= %.17g and value <= %.17g%s')
    :format(range[1], range[2], whole)
  return STORE:format(condition, field.place, "value")
end

local CODE = [[
local type, floor, text, touch, set_text, subs, assign, unknown, refuse = ...
return function(self, key)
  %s
  end
  return unknown(self, key)
end, function(self, key, value)
  %s
  end
  refuse(self, key, value)
end]]

-- read(self, key) and write(self, key, value).
local function accessors(members, fields, first, subs, assign, unknown, refuse)
  local read, write = {}, {}
  for i, member in ipairs(members) do
    local condition = ("%s key == %q then "):format(i == 1 and "if" or "elseif", member.name)
    if subs[i] then
      read[i] = ("%s return subs[%d](self)"):format(condition, i)
      write[i] = ("%s return assign[%d](subs[%d](self), value)"):format(condition, i, i)
    else
      local field = fields[first + member.first + 1]
      read[i] = ("%s return %s"):format(condition, read_code(field))
      write[i] = condition .. write_code(field)
    end
  end
  local code = CODE:format(concat(read, "\n  "), concat(write, "\n  "))
  return assert(loadstring(code, "=state"))(type, floor, text, ffi.C.pp_state_touch,
    ffi.C.pp_state_set_text, subs, assign, unknown, refuse)
end

local INITIAL = { bool = false, string = "" }

local function initial_of(t)
  if t.kind == "quantized" then
    return min(max(0, t.min), t.max)
  elseif types.RANGES[t.kind] then
    return 0
  end
  local value = INITIAL[t.kind]
  return value == nil and {} or value
end

-- fill(view, table): sets every member, to its initial value where the table has none. The table has been checked.
local function filler(members, subs, fills)
  return function(view, value)
    for i, member in ipairs(members) do
      local inner = raw(value, member.name)
      if inner == nil then
        inner = initial_of(member.type)
      end
      if subs[i] then
        fills[i](subs[i](view), inner)
      else
        view[member.name] = inner
      end
    end
  end
end

local function iterator(members)
  return function(view)
    local i = 0
    return function()
      i = i + 1
      local member = members[i]
      if member then
        return member.name, view[member.name]
      end
    end
  end
end

-- The views of `t`, whose fields are those of a block from `first` on, under the path `inside`. Returned:
-- make(block) → view, fill(view, value), read(view, key), write(view, key, value), and the inner views' two.
local function bind(t, members, fields, first, inside, context)
  local numbers = views.numbering()
  local subs, assign, fills = {}, {}, {}

  local function member_of(key)
    for _, member in ipairs(members) do
      if member.name == key then
        return member
      end
    end
  end
  local function unknown(self, key)
    views.raise(self.__pp_block, inside, check.unknown_field(t, key), 2)
  end
  local function refuse(self, key, value)
    local member = member_of(key)
    if not member then
      views.raise(self.__pp_block, inside, check.unknown_field(t, key), 3)
    end
    views.check(self.__pp_block, key == "" and inside or views.join(inside, key), member.type, nil, value, 3)
  end

  for i, member in ipairs(members) do
    local kind, make = member.type.kind, nil
    local below = member.name == "" and inside or views.join(inside, member.name)
    local at = first + member.first
    if kind == "record" then
      make, fills[i] = bind(member.type, member.type.members, fields, at, below, context)
    elseif kind == "map" or kind == "list" then
      make, fills[i] = context.bind_group(member.type, fields[at + 1], below, context)
    end
    if make then
      local cache = numbers.array()
      subs[i] = function(self)
        local view = cache[self.__pp_slot]
        if not view then
          view = make(self.__pp_block)
          cache[self.__pp_slot] = view
        end
        return view
      end
      assign[i] = function(view, value)
        views.check(view.__pp_block, below, member.type, view, value, 2)
        fills[i](view, value)
      end
    end
  end

  local read, write = accessors(members, fields, first, subs, assign, unknown, refuse)
  local ct = views.new_type("struct pp_state_block *const __pp_block", "__pp_block", {
    __index = read,
    __newindex = write,
    __pairs = iterator(members),
    __tostring = function(self)
      return "record " .. views.path(self.__pp_block, inside)
    end,
  })

  local function make(block)
    return views.hold(ct(block, numbers.take()), numbers)
  end
  return make, filler(members, subs, fills), read, write, subs, fills
end

-- Views of the blocks of a record, or of what else a map or list is made of: make(block) → view, fill(view, value),
-- read(view) → what the application gets for it; nil where that is the view.
function _M.bind_block(t, context)
  local number = context.count
  context.count = number + 1
  local fields = memory.lay_out(context.schema, number, t)
  if t.kind == "record" then
    local make, fill = bind(t, t.members, fields, 0, "", context)
    return make, fill
  end
  local make, _, read, write, subs, fills = bind(t, { { name = "", type = t, first = 0 } }, fields, 0, "", context)
  local function fill(view, value)
    if subs[1] then
      return fills[1](subs[1](view), value)
    end
    write(view, "", value)
  end
  return make, fill, function(view) return read(view, "") end
end

return _M
