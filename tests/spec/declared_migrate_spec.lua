local declared = require "painda.declared"
local painda = require "painda"
local typed_room = require "painda.typed_room"
local rooms = require "room_support"

local OLD = { phase = "uint8", title = "string", players = painda.map("string", { x = "float32", hp = "uint16" }) }

local function old_state()
  local schema = painda.schema(OLD)
  local state = schema:new { phase = 2, players = { p1 = { x = 1.5, hp = 300 } } }
  state.phase = 3
  schema:delta(state)
  return state
end

local function migrated(fields, convert, initial)
  local schema = painda.schema(fields)
  local state, wrong = declared.migrate(old_state(), initial and schema:new(initial) or schema, convert)
  return state and schema:toTable(state), wrong, state and schema:version(state)
end

describe("a declared state for another schema", function()
  it("is the one that there was where the schema is the same", function()
    local state = old_state()
    assert.equal(state, declared.migrate(state, painda.schema(OLD)))
  end)

  it("gets what there was by name, and goes on at its version", function()
    local values, _, version = migrated {
      phase = "uint32",
      title = "string",
      added = "bool",
      players = painda.map("string", { hp = "int32", x = painda.quantized { min = 0, max = 2, bits = 8 }, y = "int8" }),
    }
    assert.same({ phase = 3, title = "", added = false, players = { p1 = { x = 1.5, hp = 300, y = 0 } } }, values)
    assert.equal(1, version)
  end)

  it("gets new fields from what the new code begins with", function()
    local fields = { phase = "uint8", players = OLD.players, limits = { most = "uint8" }, left = "uint16" }
    local values = migrated(fields, nil, { phase = 9, left = 60, limits = { most = 8 } })
    assert.same({ 3, 60, 8 }, { values.phase, values.left, values.limits.most })
  end)

  it("loses nothing without being told to, and says which field it would be", function()
    local function refused(path, fields)
      local values, wrong = migrated(fields)
      assert.is_nil(values)
      assert.matches(path, wrong, 1, true)
    end
    refused("phase: 3 would be lost", { players = OLD.players })
    refused("players.p1.hp: 300 would be lost", { phase = "uint8", players = painda.map("string", { x = "float32" }) })
    refused("players.p1.hp: a whole number from 0 to 255 expected, not 300",
      { phase = "uint8", players = painda.map("string", { x = "float32", hp = "uint8" }) })
    refused("phase: a table of fields expected, not 3", { phase = { n = "uint8" }, players = OLD.players })
    refused("players: a list expected", { phase = "uint8", players = painda.list "uint8" })
    assert.is_not_nil(migrated { phase = "uint8", players = OLD.players }) -- the title was empty
    local row = painda.schema { row = painda.list "uint8" }
    local _, wrong = declared.migrate(row:new { row = { 1 } }, painda.schema { row = painda.map("string", "uint8") })
    assert.equal("row: a map expected, not a list", wrong)
  end)

  it("is made by the application's function", function()
    local values = migrated({ stage = "uint8", count = "uint16" }, function(old)
      return { stage = old.phase, count = old.players.p1.hp }
    end)
    assert.same({ stage = 3, count = 300 }, values)
    local _, wrong = migrated({ stage = "uint8" }, function()
      return { stage = 300 }
    end)
    assert.equal("stage: a whole number from 0 to 255 expected, not 300", wrong)
    assert.matches("migrate failed: .*: no", select(2, migrated({ stage = "uint8" }, function() error "no" end)))
    assert.equal("migrate returned no table", (select(2, migrated({ stage = "uint8" }, function() end))))
  end)

  it("is made of a plain table", function()
    local schema = painda.schema { n = "uint8", names = painda.list "string" }
    assert.same({ n = 1, names = { "a" } }, schema:toTable(declared.migrate({ n = 1, names = { "a" } }, schema)))
    local _, wrong = declared.migrate({ n = 1.5 }, schema)
    assert.equal("n: a whole number from 0 to 255 expected, not 1.5", wrong)
  end)
end)

describe("a room whose state is replaced", function()
  it("tells its members all of the new one, of whatever kind it is", function()
    local server, clock = rooms.start()
    local room = server:room("a", old_state())
    local ann, bob = rooms.member(room), rooms.member(room, { stateFrames = false })
    local function both()
      clock:advance(16)
      local state = ann.client:roomState "a"
      local schema = declared.schema_of(state)
      return { schema and schema:toTable(state) or state, (bob.client:roomState "a") }
    end
    local function change(fields)
      room:update(function(state)
        for name, value in pairs(fields) do
          state[name] = value
        end
      end)
    end
    local schema = painda.schema { phase = "uint16", players = OLD.players, more = "string" }
    typed_room.replace(room, declared.migrate(room:getState(), schema), 1)
    local expected = { phase = 3, more = "", players = { p1 = { x = 1.5, hp = 300 } } }
    assert.same({ expected, expected }, both())
    change { more = "x" }
    assert.equal("x", both()[1].more)
    typed_room.replace(room, { plain = true }, 1)
    assert.same({ { plain = true }, { plain = true } }, both())
    change { n = 1 }
    assert.same({ { plain = true, n = 1 }, { plain = true, n = 1 } }, both())
    typed_room.replace(room, painda.schema { n = "uint8" }, 1)
    change { n = 7 }
    assert.same({ { n = 7 }, { n = 7 } }, both())
    assert.equal(0, ann.client.resyncs + bob.client.resyncs)
  end)
end)
