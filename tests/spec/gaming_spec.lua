local painda = require "painda"
local support = require "support"
local gaming, json, null, array = painda.gaming, painda.json, painda.null, painda.array
local raised = support.message

local LONG = ("long "):rep(60)

local function copy(value)
  return (json.decode((assert(json.encode(value)))))
end

local function player(i, x)
  return { id = "p" .. i, x = x or i, y = 2 * i, hp = 100, name = "Player " .. i }
end

local function players(count, moved)
  local list = {}
  for i = 1, count do
    list[i] = player(i, moved and i % 10 == 0 and -i or i)
  end
  return list
end

describe("gaming.diff", function()
  it("gives nothing where nothing changed", function()
    assert.is_nil(gaming.diff({ a = { 1, 2, { b = null } } }, { a = { 1, 2, { b = null } } }))
    assert.is_nil(gaming.diff(nil, nil))
    assert.is_nil(gaming.diff("x", "x"))
  end)

  it("names the keys that changed, came and went", function()
    assert.same({ score = 12, bonus = { __pp_deleted = true } }, gaming.diff({ score = 10, bonus = 5 }, { score = 12 }))
    assert.same({ p = { x = 15 } }, gaming.diff({ p = { x = 10, y = 20 } }, { p = { x = 15, y = 20 } }))
    assert.same({ list = array {} }, gaming.diff({}, { list = array {} }))
    assert.same({ a = null }, gaming.diff({ a = 1 }, { a = null }))
  end)

  it("names what changed in an array", function()
    local delta = gaming.diff({ players = players(100) }, { players = players(100, true) })
    local ops = delta.players.__pp_array_ops
    assert.equal(1, #ops)
    assert.equal("patch", ops[1].op)
    assert.same({ x = -10 }, ops[1].items["9"])
    assert.is_true(#json.encode(delta) < 350)
    assert.is_true(gaming.isArrayOps(delta.players))
    assert.is_false(gaming.isArrayOps(delta))
  end)

  it("finds elements that moved", function()
    local after = players(100, true)
    table.insert(after, 1, player(0))
    table.remove(after, 50)
    local ops = gaming.diff(players(100), after).__pp_array_ops
    assert.same({ "splice", "splice", "patch" }, { ops[1].op, ops[2].op, ops[3].op })
    assert.same({ 0, 0, 49, 1 }, { ops[1].index, ops[1].deleteCount, ops[2].index, ops[2].deleteCount })
  end)

  local function nested(depth)
    local value = {}
    for _ = 2, depth do
      value = { value }
    end
    return value
  end

  it("refuses what can't be sent, and names the place", function()
    local loop = {}
    loop.self = loop
    local cases = {
      ["next.a[2].b: a function"] = { a = { 1, { b = print } } },
      ["next.players.p1.x: NaN"] = { players = { p1 = { x = 0 / 0 } } },
      ["next.players.p1.x: an infinite number"] = { players = { p1 = { x = -math.huge } } },
      ["next.list: the table's number keys are not 1..n"] = { list = { 1, nil, 3 } },
      ["next.list: the table mixes"] = { list = { 1, 2, x = 3 } },
      ["next.list: the table has a key that is neither"] = { list = { a = 1, [{}] = 2 } },
      ["next.list: the table is marked as an array"] = { list = array { a = 1 } },
      ["next.name: the string is not valid UTF-8"] = { name = "\xff" },
      ["next.t: a key of the table is not valid UTF-8"] = { t = { ["a\xff"] = 1 } },
      ["next.u: a userdata"] = { u = io.stdout },
      ["next.co: a coroutine"] = { co = coroutine.create(print) },
      ["next.self.self"] = loop,
      ["next[1][1]"] = nested(1000),
      ["next.blob: the state is too large"] = { blob = ("x"):rep(10 * 1024 * 1024) },
    }
    for expected, state in pairs(cases) do
      local text = raised(gaming.diff, {}, state)
      assert.equal("gaming.diff: " .. expected, text:sub(1, #expected + 13))
    end
    assert.matches("gaming.diff: prev.x:", raised(gaming.diff, { x = print }, {}), 1, true)
    assert.is_nil(gaming.diff(nested(60), nested(60)))
    assert.matches("nested deeper than 60 levels", raised(gaming.diff, {}, nested(61)), 1, true)
  end)

  it("refuses a list without end before it has taken all of it", function()
    local list = {}
    for i = 1, 2000000 do
      list[i] = i
    end
    assert.matches("next.list: the state is too large", raised(gaming.diff, {}, { list = list }), 1, true)
  end)

  it("takes lists that were filled in any order", function()
    local list = {}
    for i = 20, 1, -1 do
      list[i] = i
    end
    local ordered = {}
    for i = 1, 20 do
      ordered[i] = i
    end
    assert.is_nil(gaming.diff(list, ordered))
    assert.is_nil(gaming.diff(ordered, list))
  end)

  it("leaves no garbage where nothing changed", function()
    local a, b = { players = players(100) }, { players = players(100) }
    gaming.diff(a, b)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for _ = 1, 100 do
      gaming.diff(a, b)
    end
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(grown < 8, ("%f KB"):format(grown)) -- a snapshot of its own would be megabytes
  end)
end)

describe("gaming.patch", function()
  it("changes the state in place", function()
    local state = { players = { hero = { x = 10, y = 20 } }, bonus = 1, list = { 1, 2, 3 } }
    local hero, list = state.players.hero, state.list
    local delta = {
      players = { hero = { x = 15 } },
      bonus = gaming.PP_DELETED,
      list = { __pp_array_ops = { { op = "splice", index = 1, deleteCount = 1, items = { "a", "b" } } } },
    }
    assert.equal(state, gaming.patch(state, delta))
    assert.same({ players = { hero = { x = 15, y = 20 } }, list = { 1, "a", "b", 3 } }, state)
    assert.equal(hero, state.players.hero)
    assert.equal(list, state.list)
    assert.equal(state, gaming.patch(state, nil))
  end)

  it("replaces the contents of a state that becomes another", function()
    local state = { a = 1 }
    assert.equal(state, gaming.patch(state, { __pp_value = { __pp_deleted = true } }))
    assert.same({ __pp_deleted = true }, state)
    assert.equal(state, gaming.patch(state, array { 1, 2 }))
    assert.equal("[1,2]", json.encode(state))
    assert.equal(5, gaming.patch(state, 5))
    assert.same({ a = 1 }, gaming.patch(nil, { a = 1, b = gaming.PP_DELETED }))
  end)

  it("shares nothing with the delta", function()
    local delta = { list = { { 1 } }, map = { __pp_value = { x = {} } } }
    local one, two = {}, {}
    gaming.patch(one, delta)
    gaming.patch(two, delta)
    one.list[1][1], one.map.x.y = 2, 3
    assert.same({ list = { { 1 } }, map = { __pp_value = { x = {} } } }, delta)
    assert.same({ list = { { 1 } }, map = { x = {} } }, two)
  end)

  local BAD = {
    { op = "set", index = 3, value = 1 },
    { op = "set", index = -1, value = 1 },
    { op = "set", index = 0.5, value = 1 },
    { op = "set", index = 0 / 0, value = 1 },
    { op = "set", index = 0 },
    { op = "set", value = 1 },
    { op = "splice", index = 4, deleteCount = 0, items = {} },
    { op = "splice", index = 0, deleteCount = 4, items = {} },
    { op = "splice", index = 0, deleteCount = 0, items = { a = 1 } },
    { op = "splice", index = 0, deleteCount = 0 },
    { op = "patch", items = { ["3"] = 1 } },
    { op = "patch", items = { ["01"] = 1 } },
    { op = "patch", items = { ["-1"] = 1 } },
    { op = "patch", items = { ["0"] = { __pp_deleted = true } } },
    { op = "patch", items = { 1 } },
    { op = "patch" },
    { op = "move" },
    { op = {} },
    "set",
  }

  it("changes nothing where a delta does not fit", function()
    local deltas = {
      { __pp_deleted = true },
      { __pp_deleted = false },
      { __pp_unknown = 1 },
      { __pp_value = 1, a = 2 },
      { other = { __pp_array_ops = {} } },
      { list = { __pp_array_ops = 1 } },
      { list = { a = 1, __pp_array_ops = array {} } },
    }
    for _, bad in ipairs(BAD) do
      local good = { op = "splice", index = 0, deleteCount = 1, items = { 7, 8 } }
      local undone = { op = "splice", index = 0, deleteCount = 2, items = { 7 } }
      deltas[#deltas + 1] = { list = { __pp_array_ops = { good, undone, bad } } }
    end
    for i, delta in ipairs(deltas) do
      delta.a = delta.__pp_value and 2 or delta.a
      local state = { a = 1, list = { 1, 2, { b = 1 } }, other = { c = { 1 } } }
      local before = copy(state)
      local result, why = gaming.patch(state, delta)
      assert.is_nil(result, i)
      assert.is_string(why)
      assert.same(before, state)
      result, why = gaming.patchImmutable(state, delta)
      assert.is_nil(result)
      assert.is_string(why)
      assert.same(before, state)
    end
  end)

  it("puts back what it has changed before it met what is wrong", function()
    for _ = 1, 20 do -- keys come in any order
      local state = { a = { x = 1, list = array { 1 } }, b = { y = 1 }, list = { 1, { z = 1 } } }
      local before, list = copy(state), state.list
      local ops = { { op = "patch", items = { ["1"] = { z = 2 } } }, { op = "set", index = 9, value = 1 } }
      local delta = { a = { x = 2, list = array { 2 } }, b = { y = gaming.PP_DELETED } }
      delta.list = { __pp_array_ops = ops }
      assert.is_nil((gaming.patch(state, delta)))
      assert.same(before, state)
      assert.equal(list, state.list)
    end
  end)

  it("bounds the operations and the depth", function()
    local ops = {}
    for i = 1, 1025 do
      ops[i] = { op = "set", index = 0, value = 1 }
    end
    local _, why = gaming.patch({ 1 }, { __pp_array_ops = ops })
    assert.equal("more than 1024 operations for one array", why)
    local deep, list = {}, {}
    for _ = 1, 61 do
      deep, list = { a = deep }, { list }
    end
    _, why = gaming.patch({}, deep)
    assert.equal("the result is nested too deep", why)
    _, why = gaming.patchImmutable({}, { a = list })
    assert.equal("the result is nested too deep", why)
    local loop = {}
    loop.loop = loop
    _, why = gaming.patch({}, loop)
    assert.equal("the result is nested too deep", why)
  end)
end)

describe("gaming.patchImmutable", function()
  it("shares what did not change", function()
    local old = { players = players(10), map = { name = "ridge" } }
    local kept = copy(old)
    local delta = { players = { __pp_array_ops = { { op = "patch", items = { ["4"] = { x = 99 } } } } } }
    local new = assert(gaming.patchImmutable(old, delta))
    assert.same(kept, old)
    assert.equal(99, new.players[5].x)
    assert.equal(old.map, new.map)
    for i = 1, 10 do
      assert.equal(i ~= 5, rawequal(old.players[i], new.players[i]))
    end
    assert.equal(old, gaming.patchImmutable(old, nil))
  end)
end)

describe("PP_DELETED", function()
  it("is known again on the other side, and is not changed by accident", function()
    assert.is_true(gaming.isDeleted(gaming.PP_DELETED))
    assert.is_true(gaming.isDeleted(copy(gaming.PP_DELETED)))
    assert.is_false(gaming.isDeleted(null))
    assert.is_false(gaming.isDeleted {})
    assert.has_error(function()
      gaming.PP_DELETED.x = 1
    end)
  end)
end)

describe("StateManager", function()
  it("gives what changed since it was asked last", function()
    local state = gaming.StateManager { players = { hero = { x = 10, y = 20, hp = 100 } } }
    assert.is_nil(state:getDelta())
    state:update { players = { hero = { x = 15 } } }
    assert.same({ players = { hero = { x = 15 } } }, state:getDelta())
    assert.is_nil(state:getDelta())
    state:update(function(s)
      s.players.hero.hp = 90
    end)
    state:getState().players.hero.y = 21
    assert.same({ players = { hero = { y = 21, hp = 90 } } }, state:getDelta())
    state:update(function()
      return { over = true }
    end)
    assert.same({ over = true, players = { __pp_deleted = true } }, state:getDelta())
    assert.same({ over = { __pp_deleted = true } }, state:setState({}):getDelta())
  end)

  it("goes on from what it told last where the state can't be sent", function()
    local state = gaming.StateManager { a = 1 }
    state:getState().a, state:getState().b = 2, print
    assert.matches("state.b: a function", raised(state.getDelta, state), 1, true)
    state:getState().b = nil
    assert.same({ a = 2 }, state:getDelta())
  end)

  it("says what is wrong with how it is used", function()
    assert.matches("StateManager: state.x", raised(gaming.StateManager, { x = print }), 1, true)
    local state = gaming.StateManager()
    assert.matches("not a number", raised(state.update, state, 1), 1, true)
    assert.matches("state:update: ", raised(state.update, state, { __pp_deleted = true }), 1, true)
    assert.matches("colon", raised(state.getDelta), 1, true)
  end)
end)

describe("a snapshot", function()
  local core = require "painda.core.delta"

  it("tells the whole, then what changed, as JSON", function()
    local seen = core.snapshot()
    assert.equal("null", seen:json())
    local state = { a = { 1, 2 } }
    assert.equal('{"a":[1,2]}', seen:step_json(state))
    assert.is_nil(seen:step_json(state))
    state.b = true
    assert.equal('{"b":true}', seen:step_json(state))
    assert.equal(1, select("#", seen:step_json { a = 1 }))
    assert.equal('{"a":1}', seen:json())
  end)

  it("keeps what it has seen last where a state can't be sent", function()
    local seen = core.snapshot(1000)
    seen:step { a = 1 }
    local text, why = seen:step_json { a = ("x"):rep(2000) }
    assert.is_nil(text)
    assert.equal("state.a: the state is too large from here on", why)
    assert.equal('{"a":1}', seen:json())
    assert.equal('{"a":2}', seen:step_json { a = 2 })
  end)
end)

-- --- what other languages are held to ---

describe("the golden vectors", function()
  local file = assert(io.open "sdk/vectors/deltas.json")
  local vectors = assert(json.decode(file:read "*a"))
  file:close()

  it("are what diff gives, and what patch makes", function()
    assert.is_true(#vectors.deltas > 10)
    for _, one in ipairs(vectors.deltas) do
      assert.same(one.delta, gaming.diff(one.before, one.after), one.what)
      assert.same(one.after, (gaming.patchImmutable(one.before, one.delta)), one.what)
      assert.same(one.after, (gaming.patch(copy(one.before), one.delta)), one.what)
    end
  end)

  it("are read where diff would write something else", function()
    for _, one in ipairs(vectors.read) do
      assert.same(one.after, (gaming.patchImmutable(one.before, one.delta)), one.what)
      assert.same(one.after, (gaming.patch(copy(one.before), one.delta)), one.what)
    end
  end)

  it("are refused, and change nothing", function()
    for _, one in ipairs(vectors.refused) do
      local state = copy(one.before)
      assert.is_nil((gaming.patch(state, one.delta)), one.what)
      assert.is_nil((gaming.patchImmutable(state, one.delta)), one.what)
      assert.same(one.before, state, one.what)
    end
  end)

  it("stand in the protocol's document", function()
    local doc = assert(io.open "docs/protocol.md")
    local text, count = doc:read "*a", 0
    doc:close()
    for before, after, delta in text:gmatch "\n| `([^\n]-)` | `([^\n]-)` | `([^\n]-)` |" do
      count = count + 1
      assert.same(json.decode(delta), gaming.diff(json.decode(before), json.decode(after)), delta)
    end
    assert.is_true(count >= 6)
  end)
end)

-- --- laws ---

local KEYS = {
  "a", "b", "id", "é", "日本", "", "__pp_deleted", "__pp_array_ops", "__pp_value", "__pp_x", "x y", "k1", "k2",
}
local SCALARS = { 0, 1, -1.5, true, false, null, "", "a", "日本", LONG }
local random = math.random

-- Two values, the second of which is the first with changes.
local function pair(depth)
  local kind = random(depth < 4 and 4 or 2)
  local old, new
  if kind <= 2 then
    old = SCALARS[random(#SCALARS)]
    new = old
  elseif kind == 3 then
    old, new = {}, {}
    for _, key in ipairs(KEYS) do
      if random(3) == 1 then
        local before, after = pair(depth + 1)
        local fate = random(20)
        old[key], new[key] = fate ~= 1 and before or nil, fate ~= 2 and after or nil
      end
    end
  else
    old, new = array {}, array {}
    for _ = 1, random(0, 8) do
      local before, after = pair(depth + 1)
      local fate = random(20)
      old[#old + 1], new[#new + 1] = fate ~= 1 and before or nil, fate ~= 2 and after or nil
    end
    if #new > 1 and random(10) == 1 then
      table.insert(new, random(#new), table.remove(new, random(#new)))
    end
  end
  if random(12) == 1 then
    new = SCALARS[random(#SCALARS)]
  end
  return old, new
end

describe("patching with a difference", function()
  it("makes the other state, for random states, in place and not", function()
    local given = tonumber(os.getenv "PP_SEED")
    local first = given or 1
    local seen = require("painda.core.delta").snapshot()
    for seed = first, given or 1500 do
      math.randomseed(seed)
      local before, after = pair(0)
      local told = ("PP_SEED=%d %s %s"):format(seed, json.encode(before), json.encode(after))
      local delta = gaming.diff(before, after)
      seen:step(before)
      assert.same(delta, (seen:step(after)), told)
      assert.equal(json.encode(after) == "null", seen:json() == "null", told)
      assert.is_nil(gaming.diff(after, (json.decode(seen:json()))), told)
      if delta == nil then
        assert.same(json.encode(before), json.encode(gaming.patch(before, nil)), told)
        assert.same(after, before, told)
      else
        local kept = copy(before)
        assert.is_nil(gaming.diff(after, (gaming.patchImmutable(before, delta))), told)
        assert.same(kept, before, told)
        assert.is_nil(gaming.diff(after, (gaming.patch(before, delta))), told)
      end
    end
  end)
end)

describe("emitDelta", function()
  local server, client, socket

  before_each(function()
    server = support.server()
    client, socket = support.connect(server)
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  it("sends what changed, and nothing where nothing did", function()
    local seen = support.record(client, "state")
    local before, after = { players = players(100) }, { players = players(100, true) }
    socket:join "red"
    local state = copy(before)
    assert.equal(1, server:emitDelta("state", before, after))
    assert.equal(0, server:emitDelta("state", after, after))
    assert.equal(1, server:to("red"):emitDelta("state", after, before))
    assert.equal(0, server:except("red"):emitDelta("state", before, after))
    assert.equal(1, server:of("/"):emitDelta("state", nil, "whole"))
    support.eventually(function()
      return #seen == 3
    end)
    gaming.patch(state, seen[1][1])
    assert.is_nil(gaming.diff(state, after))
    gaming.patch(state, seen[2][1])
    assert.is_nil(gaming.diff(state, before))
    assert.equal("whole", seen[3][1])
  end)

  it("is there for every target", function()
    local space = server:of "/game"
    local inside
    space:on("connection", function(s)
      inside = s
    end)
    client:of("/game"):emit "hello"
    support.eventually(function()
      return inside
    end)
    local targets = { server, space, socket.broadcast, inside.broadcast, server:to "x", inside:to "x" }
    for _, target in ipairs(targets) do
      assert.is_function(target.emitDelta)
      assert.equal(0, target:emitDelta("state", { a = 1 }, { a = 1 }))
    end
    assert.equal(1, space:emitDelta("state", { a = 1 }, { a = 2 }))
  end)

  it("raises where a state can't be sent", function()
    local text = raised(server.emitDelta, server, "state", {}, { x = print })
    assert.matches("emitDelta: next.x: a function", text, 1, true)
    assert.matches("the state before and the state after", raised(server.emitDelta, server, "state", {}), 1, true)
  end)
end)
