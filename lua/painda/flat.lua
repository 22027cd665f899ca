-- Flat tables, such as {x = 1.5, name = "Ann"}, on their way to C and from there, without the Lua API: see
-- runtime/script/lua_flat.h. There are no loops in what runs for a message, so that the compiler takes it whole.

local ffi = require "ffi"
local table_clear = require "table.clear"
local core = require "painda.core.server"

local message_mark = core.message_mark
local type, next, getmetatable, concat, loadstring = type, next, getmetatable, table.concat, loadstring
local ipairs, assert, pcall = ipairs, assert, pcall

local FIELDS = 12
local MOST_KEYS = 512 -- as many as C has room for
local MOST_TYPES = 512
local SHAPES = 4 -- lists of keys that a type of message may have
local LEARN = 16 -- tables that are looked at before one is written for, since compiling costs some microseconds
local NUMBER, STRING, BOOLEAN, NULL = 0, 1, 2, 3

ffi.cdef [[
struct pp_flat {
  double numbers[12];
  const char *strings[12];
  uint32_t lens[12];
  uint16_t keys[12];
  uint8_t kinds[12];
};
extern struct pp_flat pp_flat_in, pp_flat_out;
int pp_flat_send(void *client, const char *type, size_t type_len, uint32_t count);
int pp_flat_relay(void *client, void *message);
]]

local C = ffi.C
local null = require("painda.core.json").null

local _M = {}

-- Where nothing is compiled the FFI is slow, and the Lua API is not. Only OpenResty's LuaJIT counts keys in compiled
-- code.
local has_nkeys, nkeys = pcall(require, "table.nkeys")
_M.enabled = jit.status() and has_nkeys

-- --- in ---

local PARTS = {
  [NUMBER] = "[%q] = numbers[%d],",
  [STRING] = "[%q] = text(strings[%d], lens[%d]),",
  [BOOLEAN] = "[%q] = numbers[%d] ~= 0,",
}

-- A function that makes a table of what C has laid down: two bits of `kinds` for each key.
local function reader(kinds, ...)
  local code = { "local numbers, strings, lens, text = ... return function() return {" }
  for i, key in ipairs { ... } do
    local kind = kinds % 4
    kinds = (kinds - kind) / 4
    code[#code + 1] = PARTS[kind]:format(key, i - 1, i - 1)
  end
  code[#code + 1] = "} end"
  local from = C.pp_flat_in
  return assert(loadstring(concat(code), "=json"))(from.numbers, from.strings, from.lens, ffi.string)
end

-- --- out ---

local to = C.pp_flat_out
local numbers, strings, lens, keys, kinds = to.numbers, to.strings, to.lens, to.keys, to.kinds

-- Lays one field down, of the key that has this number in C; false where it can't be.
local function put(i, key, value)
  keys[i] = key
  local kind = type(value)
  if kind == "number" then
    kinds[i] = NUMBER
    numbers[i] = value
  elseif kind == "string" then
    kinds[i] = STRING
    strings[i] = value
    lens[i] = #value
  elseif kind == "boolean" then
    kinds[i] = BOOLEAN
    numbers[i] = value and 1 or 0
  elseif value == null then
    kinds[i] = NULL
  else
    return false
  end
  return true
end

-- A type of message's tables mostly have the same keys. What lays them down is written for these keys, and tries
-- what was written for others before where a table has not exactly them.
local writers = {} -- type of message → function(t) → how many fields it laid down, 0 where t is not flat
local shapes = {} -- type of message → how many lists of keys its writer knows
local seen = {} -- type of message → how many tables none was written for
local types = 0
local known = {} -- key → its number; false where it can't have one
local known_count = 0

local function none()
  return 0
end

-- They are no longer those of the application alone: begin anew.
local function forget()
  core.forget_keys()
  for _, t in ipairs { writers, shapes, seen, known } do
    table_clear(t)
  end
  types, known_count = 0, 0
end

local function number_of(key)
  if type(key) ~= "string" then
    return false
  elseif known[key] == nil then
    known[key] = core.learn_key(key) or false
    known_count = known_count + 1
  end
  return known[key]
end

-- The function that lays down tables with these keys; others it gives to `before`.
local function writer(names, before)
  local code = { "local put, nkeys, before = ... return function(t)" }
  code[#code + 1] = ("if nkeys(t) ~= %d then return before(t) end"):format(#names)
  for i, name in ipairs(names) do
    code[#code + 1] = ("local v%d = t[%q] if v%d == nil then return before(t) end"):format(i, name, i)
  end
  for i, name in ipairs(names) do
    code[#code + 1] = ("if not put(%d, %d, v%d) then return 0 end"):format(i - 1, known[name], i)
  end
  code[#code + 1] = ("return %d end"):format(#names)
  return assert(loadstring(concat(code, "\n"), "=flat"))(put, nkeys, before)
end

-- The keys of a table, or nil where it is not flat, or has too many.
local function keys_of(t)
  local names = {}
  for key, value in next, t do
    if #names == FIELDS or type(value) == "table" or not number_of(key) then
      return nil
    end
    names[#names + 1] = key
  end
  return names[1] and names
end

-- A table that no writer took goes the other way, which is not worth a writer unless it comes often.
local function learn(mtype, t)
  if known_count > MOST_KEYS - FIELDS or types == MOST_TYPES then
    forget()
  end
  if seen[mtype] == nil then
    types = types + 1
  end
  seen[mtype] = (seen[mtype] or 0) + 1
  if seen[mtype] < LEARN then
    return
  end
  seen[mtype] = 0
  local names, count = keys_of(t), shapes[mtype] or 0
  if names and count < SHAPES then
    writers[mtype], shapes[mtype] = writer(names, writers[mtype] or none), count + 1
  end
end

-- Sends {type = mtype, payload = t} to the client: true, or false where it has to be done the other way.
function _M.send(ref, mtype, t)
  if type(t) ~= "table" or type(mtype) ~= "string" or getmetatable(t) ~= nil then
    return false
  end
  local write = writers[mtype]
  local count = write and write(t) or 0
  if count == 0 then
    learn(mtype, t)
    return false
  end
  return C.pp_flat_send(ref, mtype, #mtype, count) == 1
end

-- Sends a message object on as it came: true, or false as above.
function _M.relay(ref, message)
  return getmetatable(message) == message_mark and C.pp_flat_relay(ref, message) == 1
end

if _M.enabled then
  core.set_reader(reader)
else
  local function no()
    return false
  end
  _M.send, _M.relay = no, no
end

return _M
