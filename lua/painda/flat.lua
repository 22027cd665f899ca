-- Flat tables, such as {x = 1.5, name = "Ann"}, on their way to C and from there, without the Lua API: see
-- runtime/script/lua_flat.h. There are no loops in what runs for a message, so that the compiler takes it whole.

local ffi = require "ffi"
local table_clear = require "table.clear"
local core = require "painda.core.server"

local message_mark = core.message_mark
local type, next, getmetatable, concat, loadstring = type, next, getmetatable, table.concat, loadstring

local FIELDS = 12
local MOST_KEYS = 512 -- as many as C has room for
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

-- Where nothing is compiled the FFI is slow, and the Lua API is not.
_M.enabled = jit.status()

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
local known = {} -- key → its number; false where it can't have one
local known_count = 0

-- Lays one field down; false where it can't be.
local function put(i, key, value)
  local number = known[key]
  if not number then
    return false
  end
  keys[i] = number
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

-- What could not be laid down goes the other way; its keys are learned for the next time.
local function learn(t)
  for key in next, t do
    if type(key) == "string" and known[key] == nil then
      if known_count == MOST_KEYS then -- they are no longer those of the application alone: begin anew
        core.forget_keys()
        table_clear(known)
        known_count = 0
      end
      known[key] = core.learn_key(key) or false
      known_count = known_count + 1
    end
  end
  return 0
end

-- Lays a table down; returns how many fields it has, 0 where it is not flat. Written out, since a loop over so few
-- would be compiled apart from what calls it.
local function write_lay_down()
  local code = { "local put, learn, next = ... return function(t) local key, value = next(t)" }
  for i = 0, FIELDS - 1 do
    code[#code + 1] = ("if key == nil then return %d end"):format(i)
    code[#code + 1] = ("if not put(%d, key, value) then return learn(t) end"):format(i)
    code[#code + 1] = "key, value = next(t, key)"
  end
  code[#code + 1] = ("if key == nil then return %d end return 0 end"):format(FIELDS)
  return assert(loadstring(concat(code, "\n"), "=flat"))(put, learn, next)
end

local lay_down = write_lay_down()

-- Sends {type = mtype, payload = t} to the client: true, or false where it has to be done the other way.
function _M.send(ref, mtype, t)
  if type(t) ~= "table" or type(mtype) ~= "string" or getmetatable(t) ~= nil then
    return false
  end
  return C.pp_flat_send(ref, mtype, #mtype, lay_down(t)) == 1
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
