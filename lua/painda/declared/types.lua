-- What a declared state is made of: types as applications write them, checked and brought into one form, and that form
-- as bytes and back (docs/protocol.md, "Declared state").
--
--   { kind = "uint8" … "varint" }                      a number or a boolean
--   { kind = "string", max = bytes }
--   { kind = "quantized", min =, max =, bits = }
--   { kind = "record", members = { { name =, type = } … in the order of their names } }
--   { kind = "map" | "list", of = type, max = items }

local ffi = require "ffi"
local bit = require "bit"
local values = require "painda.options"

local nearest, show = values.nearest, values.shown
local type, pairs, ipairs, error, setmetatable, getmetatable =
  type, pairs, ipairs, error, setmetatable, getmetatable
local concat, sort, floor, huge, char = table.concat, table.sort, math.floor, math.huge, string.char
local rshift = bit.rshift

local _M = {}

local MAX_FIELDS, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_NAME = 64, 8, 2 ^ 20, 65535, 255
local DEFAULT_MAP, DEFAULT_LIST, DEFAULT_TEXT = 4096, 1024, 1024

-- As in runtime/state/schema.h.
local CODES = {
  bool = 1, uint8 = 2, uint16 = 3, uint32 = 4, int8 = 5, int16 = 6, int32 = 7, float32 = 8, float64 = 9, varint = 10,
  string = 11, quantized = 12, record = 13, map = 14, list = 15,
}
local KINDS = {}
for kind, code in pairs(CODES) do
  KINDS[code] = kind
end

local FLOAT32 = 3.4028234663852886e38
local FLOAT64 = 1.7976931348623157e308

-- kind → least, most
_M.RANGES = {
  uint8 = { 0, 255 }, uint16 = { 0, 65535 }, uint32 = { 0, 4294967295 },
  int8 = { -128, 127 }, int16 = { -32768, 32767 }, int32 = { -2147483648, 2147483647 }, varint = { 0, 2 ^ 53 - 1 },
  float32 = { -FLOAT32, FLOAT32 }, float64 = { -FLOAT64, FLOAT64 },
}
_M.IS_FLOAT = { float32 = true, float64 = true }

local NAMES = { "bool", "string" }
for kind in pairs(_M.RANGES) do
  NAMES[#NAMES + 1] = kind
end
sort(NAMES)

local Type = {} -- the mark of what map(), list(), quantized() and string() return

local function is_whole(value, least, most)
  return type(value) == "number" and value >= least and value <= most and floor(value) == value
end

_M.show = show

-- --- what applications write ---

local function fail(path, reason)
  error({ path = path, reason = reason }, 0)
end

local normalize

local function check_name(name, path)
  if type(name) ~= "string" then
    fail(path, ("a field's name is a string, not %s; a list is painda.list(…)"):format(show(name)))
  elseif ffi.C.pp_state_name_is_good(name, #name) == 0 then
    fail(path, ("%s is no name for a field: 1 to %d bytes of UTF-8, not one that begins with __pp_, nor __proto__, "
      .. "constructor or prototype"):format(show(name), MAX_NAME))
  end
end

local function record(fields, path, depth)
  local names = {}
  for name in pairs(fields) do
    check_name(name, path)
    names[#names + 1] = name
  end
  if #names == 0 then
    fail(path, "a record has at least one field")
  end
  sort(names)
  local members, count = {}, 0
  for i, name in ipairs(names) do
    local inner = normalize(fields[name], path == "" and name or path .. "." .. name, depth + 1)
    members[i] = { name = name, type = inner, first = count }
    count = count + (inner.count or 1)
  end
  if count > MAX_FIELDS then
    fail(path, ("a record has at most %d fields, those of its records counted, and this has %d")
      :format(MAX_FIELDS, count))
  end
  return { kind = "record", members = members, count = count }
end

function normalize(given, path, depth)
  if depth > MAX_DEPTH then
    fail(path, ("records, maps and lists nest at most %d deep"):format(MAX_DEPTH))
  elseif type(given) == "string" then
    if given == "string" then
      return { kind = "string", max = DEFAULT_TEXT }
    elseif not _M.RANGES[given] and given ~= "bool" then
      local near = nearest(given, NAMES)
      fail(path, ("there is no type %q, %s"):format(given,
        near and ("did you mean %q?"):format(near) or "the types are " .. concat(NAMES, ", ")))
    end
    return { kind = given }
  elseif type(given) ~= "table" then
    fail(path, ("a type is a name or a table of fields, not %s"):format(show(given)))
  elseif getmetatable(given) ~= Type then
    return record(given, path, depth)
  elseif given.of == nil then
    return given
  end
  local inner = normalize(given.of, path .. (given.kind == "map" and ".*" or "[]"), depth + 1)
  return { kind = given.kind, of = inner, max = given.max }
end

local function limit(what, options, name, default, most)
  local value = options
  if type(options) == "table" then
    for key in pairs(options) do
      if key ~= "max" then
        error(("%s has no option %s, only max"):format(what, show(key)), 3)
      end
    end
    value = options.max
  end
  if value == nil then
    return default
  elseif not is_whole(value, 1, most) then
    error(("%s: max is %s, from 1 to %d, not %s"):format(what, name, most, show(value)), 3)
  end
  return value
end

-- Items of one type by keys, which are strings.
function _M.map(key, of, options)
  if key ~= "string" then
    error(("painda.map: keys are strings: painda.map(\"string\", …), not %s"):format(show(key)), 2)
  elseif of == nil then
    error("painda.map: what its values are is missing: painda.map(\"string\", { x = \"float32\" })", 2)
  end
  return setmetatable({ kind = "map", of = of, max = limit("painda.map", options, "items", DEFAULT_MAP, MAX_ITEMS) },
    Type)
end

-- Items of one type in a row.
function _M.list(of, options)
  if of == nil then
    error("painda.list: what its items are is missing: painda.list(\"uint8\")", 2)
  end
  return setmetatable({ kind = "list", of = of, max = limit("painda.list", options, "items", DEFAULT_LIST, MAX_ITEMS) },
    Type)
end

-- A string of at most `max` bytes.
function _M.text(options)
  return setmetatable({ kind = "string", max = limit("painda.text", options, "bytes", DEFAULT_TEXT, MAX_TEXT) }, Type)
end

-- A number that travels as one of 2^bits steps from min to max.
function _M.quantized(options)
  local what = "painda.quantized"
  if type(options) ~= "table" then
    error(what .. " takes a table: { min =, max =, bits = }", 2)
  end
  for key in pairs(options) do
    if key ~= "min" and key ~= "max" and key ~= "bits" then
      error(("%s has no option %s, only min, max and bits"):format(what, show(key)), 2)
    end
  end
  local min, max, bits = options.min, options.max, options.bits
  if type(min) ~= "number" or type(max) ~= "number" or min >= max or min ~= min or max ~= max or max - min == huge then
    error(("%s: min is a number below max, not %s and %s"):format(what, show(min), show(max)), 2)
  elseif not is_whole(bits, 1, 32) then
    error(("%s: bits is from 1 to 32, not %s"):format(what, show(bits)), 2)
  end
  return setmetatable({ kind = "quantized", min = min, max = max, bits = bits }, Type)
end

-- The type that a table of fields declares; nil and a sentence where it is none.
function _M.declare(fields)
  if type(fields) ~= "table" or getmetatable(fields) == Type then
    return nil, ("a table of fields expected, not %s"):format(show(fields))
  end
  local fine, found = pcall(record, fields, "", 0)
  if fine then
    return found
  elseif type(found) ~= "table" then
    error(found, 0)
  end
  return nil, found.path == "" and found.reason or found.path .. ": " .. found.reason
end

-- --- bytes ---

local function u32(value)
  return char(rshift(value, 24), rshift(value, 16) % 256, rshift(value, 8) % 256, value % 256)
end

local function float64(value)
  local bytes = ffi.string(ffi.new("double[1]", value), 8)
  return ffi.abi "le" and bytes:reverse() or bytes
end

local function put(out, t)
  out[#out + 1] = char(CODES[t.kind])
  if t.kind == "record" then
    out[#out + 1] = char(#t.members)
    for _, member in ipairs(t.members) do
      out[#out + 1] = char(#member.name) .. member.name
      put(out, member.type)
    end
  elseif t.kind == "quantized" then
    out[#out + 1] = float64(t.min) .. float64(t.max) .. char(t.bits)
  elseif t.max then
    out[#out + 1] = u32(t.max)
    if t.of then
      put(out, t.of)
    end
  end
end

function _M.to_bytes(t)
  local out = { "\1" }
  put(out, t)
  return concat(out)
end

local function get_float64(bytes, at)
  local raw = bytes:sub(at, at + 7)
  local value = ffi.new "double[1]"
  ffi.copy(value, ffi.abi "le" and raw:reverse() or raw, 8)
  return value[0]
end

local function get_u32(bytes, at)
  local a, b, c, d = bytes:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function get(bytes, at)
  local t = { kind = KINDS[bytes:byte(at)] }
  at = at + 1
  if t.kind == "record" then
    local members = {}
    t.members, t.count = members, 0
    local count = bytes:byte(at)
    at = at + 1
    for i = 1, count do
      local len = bytes:byte(at)
      local member = { name = bytes:sub(at + 1, at + len), first = t.count }
      member.type, at = get(bytes, at + 1 + len)
      t.count = t.count + (member.type.count or 1)
      members[i] = member
    end
  elseif t.kind == "quantized" then
    t.min, t.max, t.bits = get_float64(bytes, at), get_float64(bytes, at + 8), bytes:byte(at + 16)
    at = at + 17
  elseif t.kind == "string" or t.kind == "map" or t.kind == "list" then
    t.max = get_u32(bytes, at)
    at = at + 4
    if t.kind ~= "string" then
      t.of, at = get(bytes, at)
    end
  end
  return t, at
end

-- The type of bytes that C has taken for a schema.
function _M.from_bytes(bytes)
  return (get(bytes, 2))
end

return _M
