-- The golden vectors of struct schemas (sdk/vectors/schemas.json), which other programs are held to as well. Deltas'
-- and declared states' are in gaming_spec.lua and declared_spec.lua, frames' in tests/unit/wire/vectors_test.c.
local painda = require "painda"

local file = assert(io.open "sdk/vectors/schemas.json")
local vectors = assert(painda.json.decode(file:read "*a"))
file:close()

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function unhex(text)
  return (text:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end))
end

local function registry_of(fields)
  return painda.PPSchemaRegistry():register("v", painda.structSerializer(fields))
end

describe("the golden vectors of schemas", function()
  for _, one in ipairs(vectors.schemas) do
    it("hold both ways: " .. one.what, function()
      local registry = registry_of(one.fields)
      assert.equal(one.bytes, hex(assert(registry:encode("v", one.value))))
      assert.same(one.value, registry:decode("v", unhex(one.bytes)))
    end)
  end

  for _, one in ipairs(vectors.refused) do
    it("are refused: " .. one.what, function()
      local value, message, code = registry_of(one.fields):decode("v", unhex(one.bytes))
      assert.is_nil(value)
      assert.is_string(message)
      assert.equal("SCHEMA_ERROR", code)
    end)
  end

  it("give names the same ids", function()
    for _, one in ipairs(vectors.typeIds) do
      local registry = painda.PPSchemaRegistry()
      registry:register(one.name, painda.structSerializer { { name = "x", type = "uint8" } })
      assert.equal(one.id, registry:get(one.name).id, one.name)
    end
  end)
end)
