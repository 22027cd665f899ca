local painda = require "painda"
local rooms = require "room_support"
local support = require "support"
local timing = require "painda.typed_room.ticks"

local connect, viewer, last, quietly = rooms.connect, rooms.viewer, rooms.last, rooms.quietly
local server, clock

before_each(function()
  server, clock = rooms.start { compression = "none" }
end)

local function names(map)
  local out = {}
  for name in pairs(map) do
    out[#out + 1] = name
  end
  table.sort(out)
  return table.concat(out, " ")
end

-- The entities that a client knows.
local function seen(who, map)
  local state = assert(who.client:roomState "a")
  return names(state[map or "players"])
end

local function world()
  return {
    phase = "day",
    players = { a = { x = 0, y = 0 }, b = { x = 10, y = 0 }, c = { x = 0, y = 30 }, d = { x = 500, y = 500 } },
    shots = { s = { x = 1, y = 1 }, t = { x = 400, y = 400 } },
  }
end

local function near(radius, more)
  local view = { map = "players", radius = radius, at = { x = 0, y = 0 } }
  for name, value in pairs(more or {}) do
    view[name] = value
  end
  return view
end

local function update(room, fn)
  room:update(fn)
  clock:advance(20)
end

describe("a view of what is near", function()
  it("is of the entities within the radius; all else is seen by everybody", function()
    local room = server:room("a", world())
    local ann, bob = viewer(room, near(10)), viewer(room)
    assert.equal("a b", seen(ann))
    assert.equal("s t", seen(ann, "shots"))
    assert.equal("a b c d", seen(bob))
    update(room, function(state)
      state.phase = "night"
      state.players.d.x = 501
    end)
    assert.same({ phase = "night" }, last(ann.deltas).delta)
    assert.same({ phase = "night", players = { d = { x = 501 } } }, last(bob.deltas).delta)
    assert.same({ 1, 1 }, { #ann.states, #bob.states })
  end)

  it("tells what comes in as added, and what leaves as deleted", function()
    local room = server:room("a", world())
    local ann = viewer(room, near(10))
    update(room, function(state)
      state.players.b.x = 11
      state.players.c.y = 3
    end)
    assert.same({
      players = { b = { __pp_deleted = true }, c = { x = 0, y = 3 } },
    }, last(ann.deltas).delta)
    update(room, function(state)
      state.players.a = nil
      state.players.c.y = 4
      state.players.e = { x = 2, y = 2, name = "new" }
    end)
    assert.equal("c e", seen(ann))
    assert.same({ y = 4 }, last(ann.deltas).delta.players.c)
  end)

  it("says nothing of what is out of it, and from which version the next delta is", function()
    local room = server:room("a", world())
    local ann = viewer(room, near(10))
    for i = 1, 5 do
      update(room, function(state)
        state.players.d.x = 500 + i
      end)
    end
    assert.equal(0, #ann.deltas)
    update(room, function(state)
      state.players.a.x = 1
    end)
    assert.same({ 0, 6 }, { last(ann.deltas).from, last(ann.deltas).version })
    update(room, function(state)
      state.players.a.x = 2
    end)
    assert.is_nil(last(ann.deltas).from)
    assert.equal(0, ann.client.resyncs)
    assert.equal(2, ann.client:roomState("a").players.a.x)
  end)

  it("goes with the member's own entity, or with another, and stays where that was", function()
    local room = server:room("a", world())
    local ann = viewer(room, { map = "players", radius = 15 })
    local bob = viewer(room, { map = "players", radius = 15, of = "d" })
    assert.equal("", seen(ann))
    assert.equal("d", seen(bob))
    update(room, function(state)
      state.players[ann.client.id] = { x = 0, y = 20 }
      state.players.d = nil
      state.players.e = { x = 505, y = 500 }
    end)
    assert.equal(names { c = 1, [ann.client.id] = 1 }, seen(ann))
    assert.equal("e", seen(bob))
    update(room, function(state)
      state.players[ann.client.id].y = 10
    end)
    assert.equal(names { a = 1, b = 1, [ann.client.id] = 1 }, seen(ann))
  end)

  it("goes with a point of the application's", function()
    local room, at = server:room("a", world()), { x = 0, y = 0 }
    local ann = viewer(room, near(10, { at = at }))
    at.x, at.y = 500, 500
    clock:advance(100)
    assert.equal("a b", seen(ann))
    update(room) -- the state is what it was
    assert.equal("d", seen(ann))
    assert.equal(last(ann.deltas).from, last(ann.deltas).version)
    at.x = "far"
    local errors = support.record(server, "error")
    quietly(function()
      update(room)
      update(room)
    end)
    assert.equal("d", seen(ann))
    assert.equal(1, #errors)
    assert.matches("centre", errors[1][1].message)
  end)

  it("may be of several maps, and by other coordinates", function()
    local room = server:room("a", {
      players = { a = { lon = 1, lat = 1 }, b = { lon = 100, lat = 1 } },
      shots = { s = { lon = 2, lat = 2 }, t = { lon = 200, lat = 200 }, u = { x = 0, y = 0 } },
    })
    local ann = viewer(room, near(10, { map = { "players", "shots" }, x = "lon", y = "lat" }))
    assert.equal("a", seen(ann))
    assert.equal("s", seen(ann, "shots"))
  end)

  it("keeps what is in it until that is farther than the margin", function()
    local room = server:room("a", world())
    local ann = viewer(room, near(10, { margin = 5 }))
    local function at(x)
      update(room, function(state)
        state.players.b.x = x
      end)
      return seen(ann)
    end
    assert.equal("a b", at(14))
    assert.equal("a", at(16))
    assert.equal("a", at(14))
    assert.equal("a b", at(10))
  end)
end)

describe("a view by a function", function()
  it("is of what the function lets through", function()
    local room = server:room("a", world(), { entities = "players" })
    local ann = viewer(room, function(id, entity, map)
      return map == "players" and entity.x < 10 and id ~= "c"
    end)
    assert.equal("a", seen(ann))
    update(room, function(state)
      state.players.d.x = 5
    end)
    assert.equal("a d", seen(ann))
    local bob = viewer(room, {
      map = "shots",
      filter = function(id)
        return id == "t"
      end,
    })
    assert.equal("t", seen(bob, "shots"))
    assert.equal("a b c d", seen(bob))
    assert.equal("s t", seen(ann, "shots"))
  end)

  it("is asked once for all that have the same, who share what is sent", function()
    local calls = 0
    local function red(id)
      calls = calls + 1
      return id < "c"
    end
    local room = server:room("a", world(), { entities = "players", view = { map = "players", filter = red } })
    local all = {}
    for i = 1, 5 do
      all[i] = viewer(room)
    end
    calls = 0
    update(room, function(state)
      state.players.a.x = 1
    end)
    assert.equal(4, calls)
    local stats = room:getStats()
    assert.same({ 5, 5, 1 }, { stats.viewers, stats.viewDeltas, stats.viewEncodes })
    assert.is_true(stats.viewBytes > 100)
    viewer(room, near(3))
    viewer(room, near(3))
    update(room, function(state)
      state.players.a.x = 2
    end)
    assert.equal(3, room:getStats().viewEncodes)
    for _, who in ipairs(all) do
      room:leave(who.socket)
    end
    assert.equal(2, room:getStats().viewers)
  end)

  it("stays what it was where the function raises, which is told once, with the client's name", function()
    local room, broken = server:room("a", world(), { entities = "players" }), false
    local ann = viewer(room, function(_, entity)
      return entity.x < (broken and {} or 5)
    end)
    local errors = support.record(server, "error")
    broken = true
    quietly(function()
      update(room, function(state)
        state.players.a.x = 1
        state.players.c = nil
        state.players.b.x = 1
      end)
      update(room, function(state)
        state.players.a.x = 2
      end)
    end)
    assert.equal("a", seen(ann))
    assert.equal(2, ann.client:roomState("a").players.a.x)
    assert.equal(1, #errors)
    assert.matches("HANDLER_ERROR", errors[1][1].code)
    assert.equal(1, room:getStats().errors)
    broken = false
    update(room)
    assert.equal("a b", seen(ann))
  end)
end)

describe("a view's function", function()
  it("can't wait", function()
    local room, waits = server:room("a", world(), { entities = "players" }), false
    local errors = support.record(server, "error")
    local ann = viewer(room, function(id)
      if waits then
        painda.sleep(5)
      end
      return id == "a"
    end)
    waits = true
    quietly(function()
      update(room, function(state)
        state.players.a.x = 5
      end)
    end)
    assert.equal(1, #errors)
    assert.matches("this call waits", errors[1][1].message)
    assert.equal(5, ann.client:roomState("a").players.a.x)
  end)

  it("may change who sees what, and who is there", function()
    local room = server:room("a", world(), { entities = "players" })
    local now
    local function asked(id)
      if now and id == "a" then
        now()
      end
      return true
    end
    local ann, bob, cid = viewer(room, asked), viewer(room, asked), viewer(room, near(3))
    local function step(fn)
      now = function()
        now = nil
        fn()
      end
      update(room, function(state)
        state.players.a.x = state.players.a.x + 1
      end)
    end
    step(function()
      for i = 1, 20 do
        room:setView(ann.socket, function(id)
          return i == 20 and id == "b"
        end)
      end
    end)
    update(room)
    assert.equal("b", seen(ann))
    step(function()
      room:setView(bob.socket, nil)
    end)
    room:setView(ann.socket, asked)
    step(function()
      room:leave(ann.socket)
      room:leave(bob.socket)
    end)
    assert.equal(1, room:getStats().viewers)
    room:setView(cid.socket, asked)
    step(function()
      room:leave(cid.socket)
    end)
    assert.equal(0, room:getStats().viewers)
    assert(room:join(cid.socket))
    room:setView(cid.socket, asked)
    step(function()
      room:dispose()
    end)
    assert.is_nil(room._views)
    assert.is_false(room._armed)
  end)
end)

describe("a member's view", function()
  it("is what it is sent first, and when it asks", function()
    local room = server:room("a", world(), { resyncInterval = 0 })
    local ann = viewer(room, near(10))
    assert.equal("a b", names(last(ann.states).state.players))
    require("painda.core.client").send(ann.client._link.connection, "__pp_room_resync", { room = "a" })
    clock:advance(20)
    assert.equal(2, #ann.states)
    assert.equal("a b", names(last(ann.states).state.players))
    assert.equal(1, room:getStats().resyncs)
  end)

  it("may be what the room's option says", function()
    local room = server:room("a", world(), {
      view = function(client, of)
        assert(of:getStats())
        return client.id ~= "all" and near(10) or nil
      end,
    })
    local ann, all = viewer(room), viewer(room, nil, { id = "all" })
    assert.equal("a b", seen(ann))
    assert.equal("a b c d", seen(all))
    assert.same(10, room:getView(ann.socket).radius)
    assert.is_nil(room:getView(all.socket))
    server:room("a", {}, { view = near(1) })
    clock:advance(20)
    assert.equal("a", seen(ann))
    server:room("a", {}, {})
    clock:advance(20)
    assert.equal("a b c d", seen(ann))
  end)

  it("hides everything where the option raises", function()
    local room = server:room("a", world(), {
      entities = "players",
      view = function()
        painda.sleep(1)
      end,
    })
    local who
    quietly(function()
      who = viewer(room)
    end)
    assert.equal("", seen(who))
    assert.equal(1, room:getStats().errors)
  end)

  it("can be given, changed and taken away at any time, without a gap", function()
    local room = server:room("a", world())
    local ann = viewer(room)
    local function step(view)
      room:setView(ann.socket, view)
      clock:advance(20)
      return seen(ann)
    end
    assert.equal("a b", step(near(10)))
    assert.equal("a b c", step(near(50)))
    update(room, function(state)
      state.players.d.x = 501
    end)
    assert.equal("a b c d", step(nil))
    assert.equal(0, room:getStats().viewers)
    update(room, function(state)
      state.players.d.x = 502
    end)
    assert.equal(502, ann.client:roomState("a").players.d.x)
    assert.equal("a", step(near(1)))
    update(room, function(state)
      state.players.d.x = 503
    end)
    assert.equal("a b c d", step(nil))
    assert.equal(503, ann.client:roomState("a").players.d.x)
    assert.equal("a", step(near(1)))
    assert.equal("a s t", step(near(1, { map = "shots" })):sub(1, 1) .. " " .. "s t")
    assert.equal("", seen(ann, "shots"))
    assert.same({ 1, 0 }, { #ann.states, ann.client.resyncs })
  end)

  it("is of no entities where the map is none, which is told", function()
    local room = server:room("a", world())
    local ann, errors = viewer(room, near(10)), support.record(server, "error")
    quietly(function()
      update(room, function(state)
        state.players = { { x = 0, y = 0 } }
      end)
    end)
    assert.is_nil(ann.client:roomState("a").players)
    assert.matches("state.players is a list", errors[1][1].message)
    update(room, function(state)
      state.players = world().players
    end)
    assert.equal("a b", seen(ann))
    update(room, function(state)
      state.players = nil
    end)
    assert.is_nil(ann.client:roomState("a").players)
    assert.equal(1, #errors)
  end)

  it("raises where it can't be one", function()
    local room = server:room("a", world())
    local ann = connect()
    for _, bad in ipairs {
      { 5, "a view is a function, a table, or nil for all of the state; not a number" },
      { {}, "a radius, or a filter" },
      { { radius = 5 }, "of a map of the state" },
      { { map = "players", radius = 5, filter = print }, "one of the two" },
      { { map = "players", radius = -1 }, "radius" },
      { { map = "players", radios = 1 }, "did you mean \"radius\"" },
      { { map = { 5 }, radius = 1 }, "of a map of the state" },
      { { map = "players", radius = 1, at = { x = 1 } }, "`at` is a point" },
      { { map = "players", radius = 1, at = { x = 1, y = 1 }, of = "p" }, "one centre" },
      { { map = "players", radius = 1, of = {} }, "`of` is the id" },
      { { map = "players", filter = print, x = "x" }, 'has no option "x"' },
      { print, "the room's option entities" },
    } do
      local ok, wrong = pcall(function()
        room:setView(ann.socket, bad[1])
      end)
      assert.is_false(ok)
      assert.truthy(tostring(wrong):find(bad[2], 1, true), tostring(wrong))
      assert.matches("views_spec.lua:%d+: ", tostring(wrong))
    end
    assert.has_error(function()
      server:room("b", {}, { entities = {} })
    end)
    assert.has_error(function()
      server:room("b", {}, { view = { radius = 5 } })
    end)
    room:join(ann.socket)
    for i = 1, 8 do
      room:setView(ann.socket, { map = "m" .. i, radius = 1 })
    end
    assert.has_error(function()
      room:setView(ann.socket, { map = "m9", radius = 1 })
    end)
    clock:advance(20)
    assert.equal("a b c d", seen(ann))
  end)

  it("ends with the membership, and with the room", function()
    local room = server:room("a", world())
    local ann, bob, cid = viewer(room, near(10)), viewer(room, near(10)), viewer(room, near(10))
    room:leave(ann.socket)
    bob.client:close()
    clock:advance(20)
    assert.equal(1, room:getStats().viewers)
    room:leave(cid.socket)
    assert.is_nil(room._views)
    assert(room:join(ann.socket))
    clock:advance(20)
    assert.equal("a b c d", seen(ann))
    room:setView(ann.socket, near(10))
    room:dispose()
    assert.is_nil(room._views)
    assert.same({ nil, "disposed" }, { room:setView(ann.socket, nil) })
  end)
end)

describe("a viewer that is behind", function()
  local pad = ("y"):rep(300)

  local function step(room, stalled, fn)
    room:update(fn)
    for _, who in ipairs(stalled) do
      who.socket:emit("large", ("x"):rep(5000))
    end
    timing.disarm(room)
    timing.tick(room)
  end

  it("is told one delta of what it sees", function()
    local state = world()
    state.players.a.pad = pad
    local room = server:room("a", state, { slowAbove = 1000 })
    local ann, bob = viewer(room, near(10)), viewer(room, near(10))
    painda.spawn(function()
      step(room, { ann }, function(now)
        now.players.b.x = 9
      end)
      step(room, {}, function(now)
        now.players.b = nil
        now.players.c.y = 1
      end)
      step(room, {}, function(now)
        now.players.c.y = 2
        now.players.e = { x = 1, y = 1 }
      end)
    end)
    clock:advance(100)
    assert.equal(3, #bob.deltas)
    assert.equal(1, #ann.deltas)
    local players = last(ann.deltas).delta.players
    assert.same({ b = { __pp_deleted = true }, c = { x = 0, y = 2 }, e = { x = 1, y = 1 } }, players)
    assert.same(bob.client:roomState "a", ann.client:roomState "a")
    local stats = room:getStats()
    assert.same({ 1, 1, 0 }, { stats.fellBehind, stats.catchUpDeltas, stats.catchUps })
    update(room, function(now)
      now.players.a.x = 3
    end)
    assert.same(bob.client:roomState "a", ann.client:roomState "a")
    assert.is_nil(next(room._kept))
  end)

  it("is told from what it knew where it fell behind at a tick without a change", function()
    local state = world()
    state.players.a.pad = pad
    local room = server:room("a", state, { slowAbove = 1000 })
    local ann = viewer(room, near(10))
    update(room, function(now)
      now.players.a.x = 3
    end)
    painda.spawn(function()
      step(room, { ann })
      step(room, {}, function(now)
        now.players.a.x = 0
      end)
    end)
    clock:advance(100)
    assert.same({ 1, 1 }, { room:getStats().fellBehind, room:getStats().catchUpDeltas })
    assert.equal(0, ann.client:roomState("a").players.a.x)
  end)

  it("or all that it sees, where that is shorter or nothing is kept", function()
    local room = server:room("a", world(), { slowAbove = 1000, maxKeptStates = 0 })
    local ann = viewer(room, near(10))
    painda.spawn(function()
      step(room, { ann }, function(now)
        now.players.b.x = 9
      end)
      step(room, {}, function(now)
        now.players.b.x = 8
      end)
    end)
    clock:advance(100)
    assert.same({ 2, 0 }, { #ann.states, #ann.deltas })
    assert.equal("a b", seen(ann))
    assert.equal(8, ann.client:roomState("a").players.b.x)
  end)
end)

describe("views of a declared state", function()
  it("are the same", function()
    local World = painda.schema {
      phase = "uint8",
      players = painda.map("string", { x = "int16", y = "int16", name = "string" }),
    }
    local room = server:room("a", World)
    local state = room:getState()
    state.players.a = { x = 0, y = 0, name = "ann" }
    state.players.b = { x = 100, y = 0 }
    local ann = viewer(room, near(10))
    local bob = viewer(room, {
      map = "players",
      filter = function(_, entity)
        return entity.x > 50
      end,
    })
    local all = viewer(room)
    assert.equal("a", seen(ann))
    assert.equal("b", seen(bob))
    update(room, function(now)
      now.phase = 3
      now.players.b.x = 5
      now.players.a.name = "anna"
    end)
    assert.equal("a b", seen(ann))
    assert.equal("", seen(bob))
    assert.equal("anna", ann.client:roomState("a").players.a.name)
    assert.equal(3, bob.client:roomState("a").phase)
    room:setView(all.socket, near(1))
    clock:advance(20)
    assert.equal("a", seen(all))
    room:setView(all.socket, nil)
    clock:advance(1100)
    update(room, function(now)
      now.players.b.x = 6
    end)
    assert.equal(6, all.client:roomState("a").players.b.x)
  end)
end)
