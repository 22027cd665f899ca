-- Declared state as an application meets it: schemas, fields, maps, lists, and what is said to who errs.
local painda = require "painda"
local message_of = require("support").message

local function world()
  return painda.schema {
    phase = "uint8",
    players = painda.map("string", {
      x = "float32", y = "float32", hp = "uint8", name = "string", alive = "bool",
      pos = { a = "int16", deep = { b = "bool" } },
      items = painda.list("uint16", 8),
      bag = painda.map("string", "uint32", { max = 3 }),
    }),
    scores = painda.list { who = painda.text { max = 8 }, points = "varint" },
    heat = painda.quantized { min = -100, max = 100, bits = 16 },
  }
end

describe("a schema", function()
  local cases = {
    { { x = "float33" }, 'x: there is no type "float33", did you mean "float32"?' },
    { { x = "position" }, 'x: there is no type "position", the types are bool, float32' },
    { { x = 7 }, "x: a type is a name or a table of fields, not 7" },
    { {}, "a record has at least one field" },
    { { a = {} }, "a: a record has at least one field" },
    { { "uint8" }, "a field's name is a string, not 1; a list is painda.list(…)" },
    { { __pp_x = "uint8" }, '"__pp_x" is no name for a field' },
    { { constructor = "uint8" }, '"constructor" is no name for a field' },
    { { [""] = "uint8" }, '"" is no name for a field' },
    { { p = painda.map("string", { x = "floa" }) }, 'p.*.x: there is no type "floa"' },
    { { p = painda.list { x = "unit8" } }, 'p[].x: there is no type "unit8", did you mean "uint8"?' },
    { painda.map("string", "uint8"), "a table of fields expected, not a table" },
    { "x", 'a table of fields expected, not "x"' },
  }
  for _, case in ipairs(cases) do
    it("says: " .. case[2], function()
      assert.equal("painda.schema: " .. case[2], message_of(painda.schema, case[1]):sub(1, 15 + #case[2]))
    end)
  end

  it("is bounded in fields and depth", function()
    local fields = {}
    for i = 1, 64 do
      fields["f" .. i] = "uint8"
    end
    painda.schema(fields)
    fields.more = "uint8"
    assert.match("a record has at most 64 fields, those of its records counted, and this has 65",
      message_of(painda.schema, fields), 1, true)
    local deep = "uint8"
    for _ = 1, 8 do
      deep = { d = deep }
    end
    painda.schema(deep)
    assert.match("nest at most 8 deep", message_of(painda.schema, { d = deep }))
    local cycle = {}
    cycle.again = cycle
    assert.match("nest at most 8 deep", message_of(painda.schema, cycle))
  end)

  it("names the option that is wrong", function()
    assert.match("keys are strings", message_of(painda.map, "number", "uint8"))
    assert.match("what its values are is missing", message_of(painda.map, "string"))
    assert.match('no option "maximum", only max', message_of(painda.list, "uint8", { maximum = 1 }))
    assert.match("max is items, from 1 to 1048576, not 0", message_of(painda.list, "uint8", 0))
    assert.match("max is bytes, from 1 to 65535, not 65536", message_of(painda.text, 65536))
    assert.match("bits is from 1 to 32, not 33", message_of(painda.quantized, { min = 0, max = 1, bits = 33 }))
    assert.match("min is a number below max, not 1 and 1", message_of(painda.quantized, { min = 1, max = 1, bits = 3 }))
    assert.match("finer steps than a double", message_of(painda.schema,
      { x = painda.quantized { min = 1e12, max = 1e12 + 1, bits = 32 } }))
  end)

  it("goes to another program as bytes", function()
    local one = world()
    local other = assert(painda.decodeSchema(one.bytes))
    assert.equal(one.bytes, other.bytes)
    local state, copy = one:new { phase = 3, players = { a = { x = 1, items = { 5 } } } }, other:new()
    assert(other:load(copy, one:snapshot(state)))
    assert.same(one:toTable(state), other:toTable(copy))
    for len = 0, #one.bytes - 1 do
      local none, message, code = painda.decodeSchema(one.bytes:sub(1, len))
      assert.is_nil(none)
      assert.is_string(message)
      assert.equal("SCHEMA_ERROR", code)
    end
    assert.is_nil(painda.decodeSchema(one.bytes .. "\0"))
  end)
end)

describe("a state", function()
  it("begins with zeros and what it is given", function()
    local state = world():new { phase = 2, players = { p1 = { name = "Ann", pos = { deep = { b = true } } } } }
    assert.equal(2, state.phase)
    assert.equal(0, state.heat)
    local p1 = state.players.p1
    assert.equal("Ann", p1.name)
    assert.equal(0, p1.x)
    assert.is_false(p1.alive)
    assert.is_true(p1.pos.deep.b)
    assert.equal(0, #p1.items)
    assert.is_nil(state.players.p2)
  end)

  it("is written to as ordinary fields", function()
    local state = world():new()
    state.phase = 255
    state.players.p1 = { x = 1.5 }
    state.players.p1.x = state.players.p1.x * 2
    state.players.p1.alive = true
    state.players.p1.pos.a = -32768
    state.players.p1.pos = { deep = { b = true } }
    state.heat = 1 / 3
    assert.equal(255, state.phase)
    assert.equal(3, state.players.p1.x)
    assert.is_true(state.players.p1.alive)
    assert.equal(0, state.players.p1.pos.a)
    assert.is_true(state.players.p1.pos.deep.b)
    assert.equal(1 / 3, state.heat) -- exact here, a step on the wire
  end)

  local bad = {
    { "state.phase = 256", "phase: a whole number from 0 to 255 expected, not 256" },
    { "state.phase = 1.5", "phase: a whole number from 0 to 255 expected, not 1.5" },
    { "state.phase = '7'", 'phase: a whole number from 0 to 255 expected, not "7"' },
    { "state.phase = nil", "phase: a whole number from 0 to 255 expected, not nil" },
    { "p.x = 0/0", "players.p1.x: a finite number expected, not " },
    { "p.x = 1e39", "players.p1.x: a finite number expected, not 1e+39" },
    { "p.alive = 1", "players.p1.alive: true or false expected, not 1" },
    { "p.name = 5", "players.p1.name: a string of at most 1024 bytes of UTF-8 expected, not 5" },
    { "p.name = '\\255'", "players.p1.name: a string of at most 1024 bytes of UTF-8 expected, not " },
    { "p.name = ('x'):rep(1025)", "players.p1.name: a string of at most 1024 bytes of UTF-8 expected, not " },
    { "p.pos = 5", "players.p1.pos: a table of fields expected, not 5" },
    { "p.pos = { deep = { b = 1 } }", "players.p1.pos.deep.b: true or false expected, not 1" },
    { "p.pos.deep.b = 1", "players.p1.pos.deep.b: true or false expected, not 1" },
    { "p.speed = 1", 'players.p1: there is no field "speed", the fields are ' },
    { "return p.nam", 'players.p1: there is no field "nam", did you mean "name"?' },
    { "return state[1]", "the state: there is no field 1, " },
    { "state.players = 1", "players: a table of items by string keys expected, not 1" },
    { "state.players[1] = {}", "players: keys are strings, not 1" },
    { "return state.players[1]", "players: keys are strings, not 1" },
    { "state.players.__proto__ = {}", 'players: "__proto__" is no key' },
    { "state.players.p2 = { hp = -1 }", "players.p2.hp: a whole number from 0 to 255 expected, not -1" },
    { "state.players.p2 = { h = 1 }", 'players.p2: there is no field "h"' },
    { "p.items[3] = 1", "players.p1.items: it has 1 items: write to 1 to 2, or remove the last" },
    { "p.items[1] = -1", "players.p1.items.1: a whole number from 0 to 65535 expected, not -1" },
    { "p.items = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }", "players.p1.items: at most 8 items, not 9" },
    { "p.items = { [2] = 1 }", "players.p1.items: a list has the keys 1 to its length and no others" },
    { "p.bag = { a = 1, b = 2, c = 3, d = 4 }", "players.p1.bag: at most 3 items, not 4" },
    { "for i = 1, 4 do p.bag['k' .. i] = i end", "players.p1.bag: holds at most 3 items" },
    { "state.scores[1] = { who = 'much too long' }", "scores.1.who: a string of at most 8 bytes" },
    { "state.heat = 100.5", "heat: a number from -100 to 100 expected, not 100.5" },
  }
  for _, case in ipairs(bad) do
    it("refuses: " .. case[1], function()
      local schema = world()
      local state = schema:new { players = { p1 = { name = "Ann", items = { 7 } } } }
      local before = schema:toTable(state)
      local run = assert(loadstring("local state, p = ... " .. case[1], "=app"))
      local fine, message = pcall(run, state, state.players.p1)
      assert.is_false(fine)
      assert.equal("app:1: " .. case[2], message:sub(1, 7 + #case[2]))
      if not case[1]:find "for i" then
        assert.same(before, schema:toTable(state))
      end
    end)
  end

  it("refuses the state of another schema", function()
    local state = world():new()
    local other = painda.schema { n = "uint8" }
    assert.match("schema:delta takes a state that this schema has made", message_of(other.delta, other, state))
    assert.equal(world(), world()) -- the same fields are the same schema
    assert.match("takes a state", message_of(world().delta, world(), {}))
    assert.match("takes a state", message_of(world().delta, world(), nil))
  end)
end)

describe("a map", function()
  it("adds, counts, iterates and removes", function()
    local state = world():new()
    for _, key in ipairs { "a", "b", "c" } do
      state.players[key] = { hp = #key }
    end
    state.players.b = nil
    state.players.missing = nil
    assert.equal(2, #state.players)
    local keys = {}
    for key, player in pairs(state.players) do
      keys[#keys + 1] = key
      assert.equal(1, player.hp)
    end
    assert.same({ "a", "c" }, keys)
    assert.is_nil(state.players.b)
  end)

  it("may lose items while it is iterated", function()
    local state = world():new()
    for i = 1, 20 do
      state.players["p" .. i] = {}
    end
    for key in pairs(state.players) do
      state.players[key] = nil
    end
    assert.equal(0, #state.players)
  end)

  it("is not harmed by keys that peers choose", function()
    local schema = painda.schema { scores = painda.map("string", "uint32") }
    local state = schema:new { scores = { a = 1 } }
    for _, key in ipairs { "__pp_slot", "__pp_at", "__pp_block", "__proto__", "", ("x"):rep(256), "\255" } do
      assert.is_false(pcall(function() state.scores[key] = 5 end), key)
      assert.is_false(pcall(function() state.scores[key] = nil end), key)
    end
    assert.same({ scores = { a = 1 } }, schema:toTable(state))
    for _, key in ipairs { "nul\0key", "items", "size", "count", "flags" } do
      state.scores[key] = 7
      assert.equal(7, state.scores[key])
    end
  end)

  it("outlives its state, and its views the collector", function()
    local schema = world()
    for round = 1, 30 do
      local kept = {}
      for i = 1, 20 do
        local state = schema:new()
        state.players.p = { name = "n" .. i, items = { i }, pos = { a = i } }
        kept[i] = i % 2 == 0 and state.players.p.pos or state.players
        if i % 3 == 0 then
          state.players.p = nil
          schema:delta(state)
        end
      end
      collectgarbage(round % 2 == 0 and "collect" or "step")
      for i = 1, 20 do
        if i % 2 == 0 then
          assert.equal(i, kept[i].a)
        elseif i % 3 ~= 0 then
          assert.equal("n" .. i, kept[i].p.name)
          assert.equal(i, kept[i].p.items[1])
        end
      end
    end
  end)

  it("keeps who still holds a removed item from harm", function()
    local schema = world()
    local state = schema:new { players = { p1 = { name = "Ann", items = { 1, 2 } } } }
    local p1, items, pos = state.players.p1, state.players.p1.items, state.players.p1.pos
    state.players.p1 = nil
    schema:delta(state)
    state.players.p1 = { name = "Bob" }
    p1.name, items[3], pos.a = "Cleo", 3, 4
    assert.equal("Cleo", p1.name)
    assert.equal("Bob", state.players.p1.name)
    assert.equal(0, state.players.p1.pos.a)
    state = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(3, #items)
    assert.equal(4, pos.a)
    assert.match("%(removed%)", tostring(p1))
  end)

  it("brings back in one delta what was removed and added again", function()
    local schema = world()
    local state, copy = schema:new { players = { p1 = { name = "Ann", bag = { a = 1, b = 2 } } } }, schema:new()
    schema:load(copy, schema:snapshot(state))
    state.players.p1 = nil
    state.players.p1 = { hp = 5, bag = { b = 2 } }
    local delta, json = schema:delta(state, "both")
    assert.same({ players = { p1 = { hp = 5, name = "", bag = { a = { __pp_deleted = true } } } } },
      painda.json.decode(json))
    assert.is_true(schema:apply(copy, delta))
    assert.same(schema:toTable(state), schema:toTable(copy))
  end)

  it("holds plain values too", function()
    local schema = painda.schema { scores = painda.map("string", "uint32"), tags = painda.map("string", "string"),
      grid = painda.map("string", painda.list "bool") }
    local state = schema:new { scores = { a = 1 }, tags = { t = "x" }, grid = { row = { true, false } } }
    state.scores.a = state.scores.a + 1
    state.scores.b = 9
    state.tags.t = "y"
    state.grid.row[3] = true
    assert.same({ scores = { a = 2, b = 9 }, tags = { t = "y" }, grid = { row = { true, false, true } } },
      schema:toTable(state))
    assert.match("scores.a: a whole number", message_of(function() state.scores.a = -1 end))
  end)
end)

describe("an item that was removed", function()
  it("is its holder's, and no part of what gets its key", function()
    local schema = painda.schema { players = painda.map("string", {
      hp = "uint8", name = "string", bag = painda.map("string", "uint8"), row = painda.list { n = "uint8" },
    }) }
    local state, copy = schema:new(), schema:new()
    state.players.ann = { hp = 50, name = "Ann", bag = { a = 1, b = 2 }, row = { { n = 1 }, { n = 2 } } }
    assert.is_true(schema:apply(copy, schema:delta(state)))
    local before = schema:toTable(state)
    for round = 1, 3 do
      local old = state.players.ann
      local bag, first = old.bag, old.row[1]
      old.row:insert(1, { n = 200 })
      state.players.ann = nil
      state.players.ann = { hp = 100 + round, bag = { a = 5 }, row = { { n = 3 } } }
      old.hp, bag.a, bag.c, first.n = 0, 9, 9, 9
      assert.same({ hp = 100 + round, name = "", bag = { a = 5 }, row = { { n = 3 } } },
        schema:toTable(state).players.ann)
      assert.equal(0, old.hp)
      if round == 1 then
        schema:revert(state)
        assert.same(before, schema:toTable(state))
      else
        assert.is_true(schema:apply(copy, schema:delta(state)))
        assert.same(schema:toTable(state), schema:toTable(copy))
        assert.equal(schema:hash(state), schema:hash(copy))
      end
    end
  end)
end)

describe("a schema", function()
  it("is called with a colon, and with states of its own", function()
    local schema = painda.schema { n = "uint8" }
    assert.match("call it with a colon: schema:new", message_of(function() schema.new { n = 1 } end))
    for _, name in ipairs {
      "assign", "delta", "snapshot", "json", "version", "hash", "revert", "apply", "load", "toTable",
    } do
      local text = "schema:" .. name
      assert.match("call it with a colon: " .. text, message_of(function() schema[name](nil, {}, "") end))
      assert.match(text .. " takes a state that this schema has made, not a table",
        message_of(function() schema[name](schema, {}, "") end))
      assert.match("made, not nil", message_of(function() schema[name](schema) end))
      local _, positioned = pcall(function() schema[name](schema, {}) end)
      assert.match("^tests/spec/declared_spec.lua:", positioned)
    end
  end)
end)

describe("a table that is assigned", function()
  it("is taken as it is, whatever its metatable makes up", function()
    local schema = painda.schema {
      a = "uint8", row = painda.list "uint8", inner = { b = "uint8" }, m = painda.map("string", "uint8"),
    }
    local made_up = { __index = function() return 3 end }
    local state = schema:new(setmetatable({ a = 1, row = setmetatable({ 1, 2 }, made_up) }, made_up))
    assert.same({ a = 1, row = { 1, 2 }, inner = { b = 0 }, m = {} }, schema:toTable(state))
    state.inner = setmetatable({ b = 4 }, made_up)
    state.m = setmetatable({ x = 1 }, made_up)
    assert.same({ a = 1, row = { 1, 2 }, inner = { b = 4 }, m = { x = 1 } }, schema:toTable(state))
    schema:assign(state, setmetatable({}, made_up))
    assert.same({ a = 0, row = {}, inner = { b = 0 }, m = {} }, schema:toTable(state))
  end)
end)

describe("a state that is full", function()
  local MOST = 262144

  local function row(count)
    local values = {}
    for i = 1, count do
      values[i] = 1
    end
    return values
  end

  it("takes a value whole or not at all", function()
    local schema = painda.schema {
      a = painda.list("uint8", { max = MOST }), b = painda.list("uint8", { max = MOST }),
      m = painda.map("string", { row = painda.list("uint8", { max = MOST }) }),
    }
    local state, many = schema:new { a = row(200000) }, row(MOST - 200000 + 1)
    state.b = { 7 }
    for where, assign in pairs {
      b = function() state.b = many end,
      ["the state"] = function() schema:assign(state, { a = row(200000), b = many }) end,
      ["m.x"] = function() state.m.x = { row = many } end,
    } do
      local text = message_of(assign)
      assert.equal(where .. ": the state is full: there is room for 62143 items more", text)
      assert.same({ 200000, 1, 7, 0 }, { #state.a, #state.b, state.b[1], #state.m })
    end
    state.a = row(200000) -- takes no more than there was
    state.b = row(62144)
    assert.equal(62144, #state.b)
    assert.match("^b: the state is full", message_of(function() state.b[62145] = 1 end))
    assert.match("^the state: the state is full", message_of(function() schema:new { a = row(MOST), b = { 1 } } end))
  end)
end)

describe("a delta", function()
  it("is nothing where nothing changed", function()
    local schema = world()
    local state = schema:new { phase = 1, players = { a = { x = 1, name = "Ann" } } }
    assert.is_nil(schema:delta(state))
    state.phase = 2
    state.phase = 1
    state.players.a.name = "Bob"
    state.players.a.name = "Ann"
    state.players.b = {}
    state.players.b = nil
    state.players.a.items[1] = 1
    state.players.a.items[1] = nil
    state.heat = 0.0001 -- less than a step
    assert.is_nil(schema:delta(state))
    assert.equal(0, schema:version(state))
  end)

  it("says the same in JSON", function()
    local schema = world()
    local state = schema:new {
      players = { a = { x = 1, items = { 1, 2, 3 } }, b = {} },
      scores = { { who = "a" }, { who = "b" }, { who = "c" }, {}, {}, {}, {}, {}, {} },
    }
    state.players.a.x = 0.1
    state.players.a.items[4] = 4
    state.players.b = nil
    state.scores[9] = nil
    state.scores[1].points = 7
    state.heat = 33.3333
    assert.same({
      heat = 33.333,
      players = {
        a = { x = 0.1, items = { __pp_array_ops = { { op = "splice", index = 3, deleteCount = 0, items = { 4 } } } } },
        b = { __pp_deleted = true },
      },
      scores = { __pp_array_ops = { { op = "splice", index = 8, deleteCount = 1, items = {} },
        { op = "patch", items = { ["0"] = { points = 7 } } } } },
    }, painda.json.decode(schema:delta(state, "json")))
  end)

  it("says in JSON all of a map or list where that is shorter", function()
    local schema = painda.schema { players = painda.map("string", { n = "uint8" }), row = painda.list "uint16" }
    local state = schema:new { row = { 1, 2, 3 } }
    for i = 1, 20 do
      state.players["p" .. i] = { n = i }
    end
    schema:delta(state)
    local before = painda.json.decode(schema:json(state))
    state.players, state.row = { p7 = { n = 8 } }, { 4, 2, 5 }
    local text = schema:delta(state, "json")
    assert.equal('{"players":{"__pp_value":{"p7":{"n":8}}},"row":[4,2,5]}', text)
    assert.same(schema:toTable(state), painda.gaming.patch(before, painda.json.decode(text)))
  end)

  it("is applied in order or not at all", function()
    local schema = world()
    local state, copy = schema:new(), schema:new()
    local deltas = {}
    for i = 1, 3 do
      state.phase = i
      deltas[i] = schema:delta(state)
    end
    assert.is_true(schema:apply(copy, deltas[1]))
    local fine, message, code = schema:apply(copy, deltas[3])
    assert.is_nil(fine)
    assert.equal("a delta is missing", message)
    assert.equal("DELTA_GAP", code)
    assert.equal(1, copy.phase)
    assert.equal("DECODE_ERROR", select(3, schema:apply(copy, deltas[2]:sub(1, -2))))
    assert.equal("DECODE_ERROR", select(3, schema:apply(copy, deltas[2] .. "\0")))
    assert.equal("DECODE_ERROR", select(3, schema:load(copy, "\0\0")))
    assert.is_true(schema:apply(copy, deltas[2]))
    assert.equal(2, copy.phase)
    assert.equal(2, schema:version(copy))
  end)

  it("carries a hash now and then, by which a state that differs is found", function()
    local schema = world()
    local state, copy, other = schema:new(), schema:new(), schema:new { heat = 50 }
    for i = 1, 64 do
      state.phase = i
      local delta = schema:delta(state)
      assert.is_true(schema:apply(copy, delta))
      local fine, _, code = schema:apply(other, delta)
      assert.equal(i < 64, fine == true)
      assert.equal(i == 64 and "STATE_DESYNC" or nil, code)
    end
    assert.is_true(schema:load(other, schema:snapshot(state)))
    assert.equal(schema:hash(state), schema:hash(other))
    assert.equal(64, schema:version(other))
  end)

  it("comes after the snapshot and the hash, which say nothing of it", function()
    local schema = world()
    local state = schema:new { players = { a = { name = "Ann", items = { 1 } } }, scores = { { who = "a" } } }
    local snapshot, hash = schema:snapshot(state), schema:hash(state)
    for i = 1, 20 do
      state.players["p" .. i] = { hp = i }
    end
    state.players.a.items[2] = 2
    state.scores[1] = nil
    state.phase = 3
    assert.equal(snapshot, schema:snapshot(state))
    assert.equal(hash, schema:hash(state))
    state.players.a = nil
    assert.equal(snapshot, schema:snapshot(state))
    local copy = schema:new()
    assert(schema:load(copy, snapshot))
    assert(schema:apply(copy, schema:delta(state)))
    assert.equal(schema:json(state), schema:json(copy))
  end)

  it("can be taken back before it is made", function()
    local schema = world()
    local state = schema:new { phase = 1, players = { a = { name = "Ann", bag = { x = 1 } }, b = {} },
      scores = { { who = "a" } } }
    local before = schema:toTable(state)
    state.phase = 9
    state.players.a.name = "Bob"
    state.players.a.bag.x = nil
    state.players.b = nil
    state.players.c = { hp = 1 }
    state.scores = {}
    schema:revert(state)
    assert.same(before, schema:toTable(state))
    assert.is_nil(schema:delta(state))
  end)
end)

describe("the golden vectors", function()
  local file = assert(io.open "sdk/vectors/state.json")
  local vectors = assert(painda.json.decode(file:read "*a"))
  file:close()

  local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end
  local function unhex(text)
    return (text:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end))
  end

  for _, vector in ipairs(vectors) do
    it("are read: " .. vector.name, function()
      local schema = assert(painda.decodeSchema(unhex(vector.schema)))
      local state = schema:new()
      assert(schema:load(state, unhex(vector.begin.snapshot)))
      for _, step in ipairs(vector.steps) do
        assert(schema:apply(state, unhex(step.delta)))
        assert.equal(step.version, schema:version(state))
        assert.equal(step.hash, schema:hash(state))
        if step.state then
          assert.same(step.state, painda.json.decode(schema:json(state)))
          assert.equal(step.snapshot, hex(schema:snapshot(state)))
        end
      end
    end)
  end
end)
