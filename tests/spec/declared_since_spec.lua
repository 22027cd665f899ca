-- The delta from an earlier state, held against random changes. PP_SEED=n begins elsewhere; a failure names its seed.
local declared = require "painda.declared"
local gaming = require "painda.gaming"
local json = require "painda.json"
local painda = require "painda"

local SEED = tonumber(os.getenv "PP_SEED") or 1
local seed
local function random(n)
  seed = seed * 16807 % 2147483647
  return seed % n + 1
end

local World = painda.schema {
  n = "uint16", text = "string", on = "bool",
  at = { x = "float64", y = painda.quantized { min = 0, max = 15, bits = 4 } },
  players = painda.map("string", {
    x = "int16", name = "string", bag = painda.map("string", "uint8"), list = painda.list { a = "int8" },
  }),
  list = painda.list "string",
  row = painda.list { a = "int32", tags = painda.list "uint8" },
}

local function change(state, fresh)
  local id = "p" .. random(fresh and 100000 or 12)
  local player = state.players[id]
  if not player or random(6) == 1 then
    state.players[id] = { x = random(100), name = "n" .. random(5), bag = { a = random(9) }, list = { { a = 1 } } }
  elseif random(8) == 1 then
    state.players[id] = nil
  else
    player.x, player.bag["k" .. random(3)] = random(1000), random(3) > 1 and random(255) or nil
    player.list[#player.list + 1] = { a = random(100) }
  end
  state.n, state.on, state.text = random(65535), random(2) == 1, "text" .. random(3)
  state.at.x, state.at.y = random(10) / 3, random(16) - 1
  if #state.row < 30 and random(3) > 1 then
    state.row:insert(random(#state.row + 1), { a = random(70000), tags = { 1, 2 } })
  elseif #state.row > 0 then
    state.row[random(#state.row)].tags:insert(1, random(255))
    state.row:remove(random(#state.row))
  end
  state.list = random(2) == 1 and { "a", "b" .. random(3), "c" } or { "a" }
end

describe("the delta of a declared state since an earlier one", function()
  it("makes the one of the other, in both forms; or there is none", function()
    local none, some = 0, 0
    for schedule = 0, 9 do
      seed = (SEED + schedule) * 7919
      local state = World:new { n = 1 }
      for _ = 1, 10 do
        change(state)
      end
      World:delta(state)
      local snapshot, version, before, kept = World:snapshot(state), World:version(state), World:toTable(state), nil
      for tick = 1, 70 do
        change(state, schedule % 2 == 0)
        World:delta(state)
        state.n = 7 -- what nobody was told is in no delta
        state.row:insert(1, { a = 7 })
        local copy = World:new()
        World:load(copy, snapshot)
        local ok, bytes, text
        ok, bytes, text, kept = declared.since(World, state, snapshot, kept)
        local what = ("PP_SEED=%d: tick %d"):format(SEED + schedule, tick)
        if ok then
          some = some + 1
          assert.is_true(declared.apply(copy, bytes, false, World:version(state) - version), what)
          assert.equal(World:hash(state), World:hash(copy), what)
          assert.same(World:toTable(copy), gaming.patch(before, json.decode(text)), what)
          before = World:toTable(kept)
        else
          none = none + 1
        end
        World:revert(state)
      end
    end
    assert.is_true(some > 150)
    assert.is_true(none > 0)
  end)

  it("tells what was put into a list, and not what stands behind it", function()
    local schema = painda.schema { row = painda.list { a = "uint32", b = "uint32" } }
    local state = schema:new()
    for i = 1, 100 do
      state.row:insert({ a = i * 1000, b = i * 2000 })
    end
    schema:delta(state)
    local before = schema:snapshot(state)
    state.row:insert(1, { a = 5 })
    schema:delta(state)
    state.row:insert(2, { a = 6 })
    schema:delta(state)
    local ok, bytes, text = declared.since(schema, state, before)
    assert.is_true(ok)
    assert.is_true(#bytes < 20, #bytes)
    assert.equal('{"row":{"__pp_array_ops":[{"op":"splice","index":0,"deleteCount":0,'
      .. '"items":[{"a":5,"b":0},{"a":6,"b":0}]}]}}', text)
  end)

  it("is there where items went and others came, as long as somebody keeps the numbers", function()
    local schema = painda.schema { players = painda.map("string", { n = "uint8" }, { max = 8 }) }
    local state = schema:new { players = { a = { n = 1 }, b = { n = 2 }, c = { n = 3 } } }
    local kept = declared.keep(schema, state)
    state.players.a, state.players.c = nil, nil
    schema:delta(state)
    state.players.d, state.players.e = { n = 4 }, { n = 5 }
    schema:delta(state)
    local ok, bytes = declared.since(schema, state, kept.bytes)
    assert.is_true(ok)
    local copy = schema:new()
    schema:load(copy, kept.bytes)
    assert.is_true(declared.apply(copy, bytes, false, 2))
    assert.same(schema:toTable(state), schema:toTable(copy))
    kept:clear()
    state.players.f = { n = 6 } -- has the number of a
    schema:delta(state)
    assert.is_false((declared.since(schema, state, kept.bytes)))
  end)

  it("takes no room from a map", function()
    local schema = painda.schema { players = painda.map("string", "uint8", { max = 4 }) }
    local state, copy = schema:new(), schema:new()
    local kept = declared.keep(schema, state)
    for i = 1, 40 do
      state.players["p" .. (i - 4)] = nil
      state.players["p" .. i] = i
      assert.is_true(schema:apply(copy, schema:delta(state)))
      assert.same(schema:toTable(state), schema:toTable(copy))
    end
    kept:clear()
  end)
end)
