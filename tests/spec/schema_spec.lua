-- The schema registry as an application sees it: bytes on the wire, errors in words, versions.
local schema = require "painda.schema"

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- A registry with one schema, "m".
local function registry_of(serializer, version)
  local registry = schema.PPSchemaRegistry()
  if version then
    return registry:register("m", version, serializer)
  end
  return registry:register("m", serializer)
end

local function struct(...)
  return registry_of(schema.structSerializer { ... })
end

-- What fn raises, without the position.
local function message_of(fn, ...)
  local fine, message = pcall(fn, ...)
  assert.is_false(fine)
  return (message:gsub("^[^:]+:%d+: ", ""))
end

describe("a struct schema", function()
  it("packs {x, y, z} into 12 bytes, big-endian", function()
    local registry = struct({ name = "x", type = "float32" }, { name = "y", type = "float32" },
      { name = "z", type = "float32" })
    local bytes = assert(registry:encode("m", { x = 1.5, y = 0, z = -2 }))
    assert.equal("3fc0000000000000c0000000", hex(bytes))
    assert.same({ x = 1.5, y = 0, z = -2 }, registry:decode("m", bytes))
  end)

  local cases = {
    { "uint8", 200, "c8" }, { "uint16", 258, "0102" }, { "uint32", 4294967295, "ffffffff" },
    { "int8", -1, "ff" }, { "int16", -2, "fffe" }, { "int32", -3, "fffffffd" },
    { "float32", 0.5, "3f000000" }, { "float64", 0.1, "3fb999999999999a" },
    { "bool", true, "01" }, { "varint", 300, "ac02" }, { "varint", 2 ^ 53 - 1, "ffffffffffffff0f" },
    { "string", "hé", "000368c3a9" }, { "bytes", "\255\0", "00000002ff00" },
  }
  for _, case in ipairs(cases) do
    local type, value, bytes = case[1], case[2], case[3]
    it(("packs %s %s as %s"):format(type, tostring(value), bytes), function()
      local registry = struct { name = "v", type = type }
      local encoded = assert(registry:encode("m", { v = value }))
      assert.equal(bytes, hex(encoded))
      assert.same({ v = value }, registry:decode("m", encoded))
    end)
  end

  it("packs arrays, records, and one inside the other", function()
    local registry = struct(
      { name = "ids", type = "array", of = "uint8" },
      { name = "pos", type = { { name = "x", type = "int8" }, { name = "y", type = "int8" } } },
      { name = "players", type = "array", of = { { name = "name", type = "string" } } },
      { name = "grid", type = "array", of = { type = "array", of = "bool" } })
    local value = { ids = { 1, 2 }, pos = { x = 1, y = -1 }, players = { { name = "ann" } }, grid = { { true }, {} } }
    local encoded = assert(registry:encode("m", value))
    assert.equal("000201020" .. "1ff" .. "00010003616e6e" .. "00020001010000", hex(encoded))
    assert.same(value, registry:decode("m", encoded))
  end)

  it("nests as deep as it says", function()
    local type, value = "uint8", 7
    for _ = 1, 15 do
      type, value = { { name = "inner", type = type } }, { inner = value }
    end
    assert.same({ inner = value }, struct({ name = "inner", type = type }):decode("m", "\7"))
    local deeper = { { name = "inner", type = type } }
    assert.truthy(message_of(struct, { name = "inner", type = deeper }):find("nested deeper than 16", 1, true))
    local lists, of = { 1 }, "uint8"
    for _ = 1, 14 do
      lists, of = { lists }, { type = "array", of = of }
    end
    local registry = struct { name = "lists", type = "array", of = of }
    local encoded = assert(registry:encode("m", { lists = lists }))
    assert.same({ lists = lists }, registry:decode("m", encoded))
  end)

  it("ignores keys that are not fields", function()
    local registry = struct { name = "x", type = "uint8" }
    assert.equal("\1", registry:encode("m", { x = 1, other = {} }))
  end)

  it("keeps NaN and the infinities of floats", function()
    local registry = struct({ name = "a", type = "float32" }, { name = "b", type = "float64" })
    local value = registry:decode("m", assert(registry:encode("m", { a = 0 / 0, b = -math.huge })))
    assert.is_true(value.a ~= value.a)
    assert.equal(-math.huge, value.b)
  end)

  local refusals = {
    { "uint8", 256, "m\": v: expected a whole number from 0 to 255 (uint8), got 256" },
    { "uint8", 1.5, "got 1.5" },
    { "uint8", "1", "got the string \"1\"" },
    { "int32", 0 / 0, "(int32), got NaN" },
    { "varint", -1, "got -1" },
    { "float32", 1e300, "(float32), got 1e+300" },
    { "bool", 1, "expected true or false (bool), got 1" },
    { "string", "\255", "got a string of 1 bytes that is not UTF-8" },
    { "string", ("a"):rep(65536), "at most 65535 bytes" },
    { "bytes", {}, "expected a string of bytes (bytes), got an empty table" },
    { "float64", nil, "expected a number (float64), got nothing" },
  }
  for _, case in ipairs(refusals) do
    local type, value, message = case[1], case[2], case[3]
    it(("refuses %s as %s"):format(tostring(value):sub(1, 20), type), function()
      local encoded, err, code = struct({ name = "v", type = type }):encode("m", { v = value })
      assert.is_nil(encoded)
      assert.truthy(err:find(message, 1, true), err)
      assert.equal("SCHEMA_ERROR", code)
    end)
  end

  it("says where in the value it went wrong", function()
    local registry = struct { name = "players", type = "array", of = { { name = "hp", type = "uint8" } } }
    local _, err = registry:encode("m", { players = { { hp = 1 }, { hp = -1 } } })
    assert.truthy(err:find("players[2].hp: ", 1, true), err)
    _, err = registry:encode("m", { players = { ann = { hp = 1 } } })
    assert.truthy(err:find("players: expected a list", 1, true), err)
    assert.truthy(err:find("got a table with keys", 1, true), err)
    _, err = registry:encode("m", 5)
    assert.truthy(err:find("the value: expected a table of fields, got 5", 1, true), err)
  end)

  it("is never read past its end, nor left half read", function()
    local registry = struct({ name = "s", type = "string" }, { name = "n", type = "uint16" })
    local bytes = registry:encode("m", { s = "text", n = 7 })
    for len = 0, #bytes - 1 do
      local value, err, code = registry:decode("m", bytes:sub(1, len))
      assert.is_nil(value)
      assert.is_string(err)
      assert.equal("SCHEMA_ERROR", code)
    end
    local _, err = registry:decode("m", bytes .. "x")
    assert.equal("schema \"m\": the payload is 9 bytes, only 8 of them belong to it", err)
  end)
end)

describe("the other serializers", function()
  it("json: the payload's JSON alone", function()
    local registry = registry_of(schema.jsonSerializer(5))
    assert.equal('[1,"a"]', registry:encode("m", { 1, "a" }))
    assert.same({ a = true }, registry:decode("m", '{"a":true}'))
    assert.is_nil((registry:decode("m", "{")))
    assert.is_nil((registry:encode("m", 0 / 0)))
  end)

  it("string: UTF-8 both ways", function()
    local registry = registry_of(schema.stringSerializer())
    assert.equal("hé", registry:encode("m", "hé"))
    assert.equal("", registry:decode("m", ""))
    assert.is_nil((registry:decode("m", "\255")))
    assert.is_nil((registry:encode("m", "\255")))
    assert.is_nil((registry:encode("m", 5)))
  end)

  it("buffer: any bytes", function()
    local registry = registry_of(schema.bufferSerializer(6))
    assert.equal("\0\255", registry:encode("m", "\0\255"))
    assert.equal("\0\255", registry:decode("m", "\0\255"))
    assert.is_nil((registry:encode("m", {})))
  end)

  it("mixed: JSON and one binary field", function()
    local registry = registry_of(schema.mixedSerializer(7, "data"))
    local value = { name = "a.png", data = "\0\255" }
    local bytes = assert(registry:encode("m", value))
    assert.equal("00000010" .. hex('{"name":"a.png"}') .. "00ff", hex(bytes))
    assert.same(value, registry:decode("m", bytes))
    assert.equal("\0\255", value.data)
    assert.is_nil((registry:encode("m", { name = "no data" })))
    assert.is_nil((registry:encode("m", { "a list", data = "" })))
    for _, broken in ipairs { "", "\0\0\0", "\0\0\0\3{}", "\255\255\255\255{}", "\0\0\0\2[]", "\0\0\0\2{]" } do
      assert.is_nil((registry:decode("m", broken)))
    end
  end)
end)

describe("a registry", function()
  it("derives ids from names, whatever the order", function()
    local names, ids = { "player:move", "a", "foobar" }, { 0x6CE3, 0xCD20, 0x46F4 }
    for first = 1, 3 do
      local registry = schema.PPSchemaRegistry()
      for i = 0, 2 do
        local at = (first + i) % 3 + 1
        registry:register(names[at], schema.jsonSerializer())
        assert.equal(ids[at], registry:get(names[at]).id)
      end
    end
  end)

  it("tells what it knows by name and by id", function()
    local registry = registry_of(schema.bufferSerializer(9), 3)
    assert.same({ name = "m", id = 9, version = 3, kind = "buffer" }, registry:get("m"))
    assert.same(registry:get("m"), registry:get(9))
    assert.is_nil(registry:get("other"))
    assert.is_nil(registry:get(10))
    assert.equal("PPSchemaRegistry (1 schemas)", tostring(registry))
  end)

  it("may share a serializer with another", function()
    local move = schema.structSerializer { { name = "x", type = "uint8" } }
    local one, two = registry_of(move), registry_of(move)
    assert.same({ x = 3 }, two:decode("m", (one:encode("m", { x = 3 }))))
  end)

  it("refuses clashes and names both sides", function()
    local registry = registry_of(schema.jsonSerializer(7))
    assert.equal('register: "m" is registered already',
      message_of(registry.register, registry, "m", 2, schema.jsonSerializer(8)))
    assert.equal('register: "other" and "m" both have the type id 7: give one of them another id',
      message_of(registry.register, registry, "other", schema.stringSerializer(7)))
    assert.truthy(message_of(registry.register, registry, "__pp_ack", schema.jsonSerializer())
      :find("belong to the protocol", 1, true))
  end)

  it("raises at the caller's line", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(function() schema.structSerializer { { name = "x", type = "uint9" } } end)
    assert.truthy(message:find("schema_spec.lua:" .. line .. ":", 1, true), message)
  end)
end)

describe("a mistake in a schema", function()
  local x = { name = "x", type = "uint8" }
  local mistakes = {
    { 'unknown type "flot32", did you mean "float32"?', { { name = "x", type = "flot32" } } },
    { 'unknown type "double", did you mean "float64"?', { { name = "x", type = "double" } } },
    { 'unknown type "quaternion"; the types are uint8', { { name = "x", type = "quaternion" } } },
    { 'field 2 ("y"): its type is missing', { x, { name = "y" } } },
    { "field 1: its name is missing", { { type = "uint8" } } },
    { 'field 2 ("x"): its name stands for an earlier field', { x, x } },
    { 'unknown key "typ", known are name, type, of', { { name = "x", typ = "uint8" } } },
    { "an array needs a type for its elements", { { name = "x", type = "array" } } },
    { "only an array has elements", { { name = "x", type = "uint8", of = "uint8" } } },
    { 'field 1 ("x"): of: field 1 ("y"): unknown type "i"', { { name = "x", type = "array",
      of = { { name = "y", type = "i" } } } } },
    { "expected a list of fields", {} },
    { "got an empty table", {} },
    { "got nil", nil },
    { "got number", { 5 } },
    { "a type id is a whole number from 1 to 65279, got 0", 0, { x } },
    { "got 65280", 0xFF00, { x } },
    { "got 1.5", 1.5, { x } },
    { 'unknown key "upgrad", known are upgrade, previous', { x }, { upgrad = print } },
    { "options.upgrade is a function(fromVersion, value), got number", { x }, { upgrade = 1 } },
    { "only together with options.upgrade", { x }, { previous = {} } },
    { "options are a table", { x }, 5 },
  }
  for i, case in ipairs(mistakes) do
    it(("is named (%d): %s"):format(i, case[1]), function()
      local message = message_of(schema.structSerializer, unpack(case, 2, 3))
      assert.truthy(message:find(case[1], 1, true), message)
    end)
  end

  it("does not hang on fields that contain themselves", function()
    local fields = { { name = "x" } }
    fields[1].type = fields
    assert.truthy(message_of(schema.structSerializer, fields):find("nested deeper than 16", 1, true))
  end)

  it("is named at registration too", function()
    local registry = schema.PPSchemaRegistry()
    assert.truthy(message_of(registry.register, registry, "m", {}):find("a serializer is expected", 1, true))
    assert.truthy(message_of(registry.register, registry, 5, {}):find("the name of a message type", 1, true))
    assert.truthy(message_of(registry.register, registry, "m", 0, schema.jsonSerializer())
      :find("from 1 to 65535", 1, true))
    assert.truthy(message_of(registry.register, "m", schema.jsonSerializer()):find("with a colon", 1, true))
    assert.truthy(message_of(registry.encode, registry, "m", 1):find("no schema is registered as m", 1, true))
    assert.truthy(message_of(schema.mixedSerializer, 5):find("the name of the binary field", 1, true))
  end)
end)

describe("a version", function()
  local function versioned()
    return registry_of(schema.structSerializer({ { name = "x", type = "uint8" }, { name = "z", type = "uint8" } }, {
      previous = { [1] = { { name = "x", type = "uint8" } } },
      upgrade = function(from, value)
        if from == 1 then
          value.z = 100
          return value
        elseif from == 2 then
          return { x = #value, z = 2 }
        elseif from == 4 then
          error("too new", 0)
        end
      end,
    }), 3)
  end

  it("is read as it is when it is the registered one or none", function()
    local registry = versioned()
    assert.same({ x = 1, z = 2 }, registry:decode("m", "\1\2"))
    assert.same({ x = 1, z = 2 }, registry:decode("m", "\1\2", 0))
    assert.same({ x = 1, z = 2 }, registry:decode("m", "\1\2", 3))
  end)

  it("is upgraded from a value where its layout is known, else from its bytes", function()
    local registry = versioned()
    assert.same({ x = 7, z = 100 }, registry:decode("m", "\7", 1))
    assert.same({ x = 5, z = 2 }, registry:decode("m", "bytes", 2))
  end)

  it("is dropped where upgrade raises, returns nothing or cannot read it", function()
    local registry = versioned()
    for version, reason in pairs { [4] = "too new", [5] = "returned nothing", [1] = "only 1 of them belong" } do
      local value, err, code = registry:decode("m", "\1\2", version)
      assert.is_nil(value)
      assert.truthy(err:find(reason, 1, true), err)
      assert.equal("SCHEMA_ERROR", code)
    end
  end)

  it("is dropped where nobody can upgrade it", function()
    local _, err = registry_of(schema.stringSerializer()):decode("m", "text", 2)
    assert.equal("schema \"m\": version 2 was sent, version 1 is registered and can't upgrade it", err)
  end)

  it("reaches upgrade as a value where the layout never changes", function()
    local registry = registry_of(schema.jsonSerializer { upgrade = function(_, value) return { list = value } end }, 2)
    assert.same({ list = { 1 } }, registry:decode("m", "[1]", 1))
  end)
end)
