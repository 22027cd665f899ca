-- Views of rooms with a declared state: who takes frames and who takes JSON see the same part.
local declared = require "painda.declared"
local painda = require "painda"
local rooms = require "room_support"
local support = require "support"
local timing = require "painda.typed_room.ticks"

local server, clock

local FIELDS = {
  phase = "string",
  others = painda.map("string", "uint8"),
  players = painda.map("string", { x = "int16", y = "int16", name = "string" }),
  shots = painda.map("string", { x = "float32", y = "float32" }),
  list = painda.list "uint8",
}

before_each(function()
  server, clock = rooms.start { compression = "none" }
end)

local function world(options)
  local schema = painda.schema(FIELDS)
  return server:room("a", schema:new {
    phase = "day",
    players = { a = { x = 0 }, b = { x = 10 }, c = { y = 30 }, d = { x = 500, y = 500 } },
    shots = { s = { x = 1, y = 1 }, t = { x = 400, y = 400 } },
  }, options)
end

-- Two members that see the same, one by frames and one as JSON.
local function pair_of(room, view)
  local pair = {}
  for i, framed in ipairs { true, false } do
    local who = rooms.connect { stateFrames = framed }
    if view then
      room:setView(who.socket, view)
    end
    assert(room:join(who.socket))
    pair[i] = who
  end
  clock:advance(0)
  return pair
end

local function plain(who)
  local state = who.client:roomState "a"
  local schema = declared.schema_of(state)
  return schema and schema:toTable(state) or state
end

-- What both see, which is the same.
local function seen(pair)
  local framed, json = plain(pair[1]), plain(pair[2])
  assert.equal("cdata", type((pair[1].client:roomState "a")))
  assert.same(json, framed)
  return framed
end

local function names(map)
  local out = {}
  for name in pairs(map) do
    out[#out + 1] = name
  end
  table.sort(out)
  return table.concat(out, " ")
end

local function tick(room, fn)
  room:update(fn)
  clock:advance(16)
end

local NEAR = { map = { "players", "shots" }, radius = 20, at = { x = 0, y = 0 } }

describe("a view of a room with a declared state", function()
  it("is the same part as frames and as JSON", function()
    local room = world()
    local pair = pair_of(room, NEAR)
    assert.same({ "a b", "s" }, { names(seen(pair).players), names(seen(pair).shots) })
    tick(room, function(state)
      state.phase = "night"
      state.players.c.y, state.players.a.x = 15, 3
      state.players.d.x = 400 -- out of sight
      state.shots.s = nil
      state.others.x, state.list[1] = 7, 9
    end)
    assert.same({ x = 3, y = 0, name = "" }, seen(pair).players.a)
    assert.same({ "a b c", "", "night", 7, 9 }, {
      names(seen(pair).players), names(seen(pair).shots), seen(pair).phase, seen(pair).others.x, seen(pair).list[1],
    })
    tick(room, function(state)
      state.players.b.x = 100
      state.players.c = nil
    end)
    assert.equal("a", names(seen(pair).players))
    assert.equal(0, pair[1].client.resyncs + pair[2].client.resyncs)
  end)

  it("says nothing where nothing that is seen changed, and goes on over the versions between", function()
    local room = world()
    local pair = pair_of(room, NEAR)
    for i = 1, 5 do
      tick(room, function(state)
        state.players.d.x = 500 + i
      end)
    end
    assert.equal(0, #pair[1].deltas)
    tick(room, function(state)
      state.players.a.x = 1
    end)
    assert.equal(1, #pair[1].deltas)
    assert.same({ 6, 6 }, { select(2, pair[1].client:roomState "a"), select(2, pair[2].client:roomState "a") })
    assert.same({ players = { a = { x = 1 } } }, rooms.last(pair[1].deltas).delta)
    assert.equal(1, seen(pair).players.a.x)
  end)

  it("moves where the state stays", function()
    local room = world()
    local at = { x = 0, y = 0 }
    local pair = pair_of(room, { map = "players", radius = 20, at = at })
    at.x, at.y = 500, 500
    tick(room)
    assert.equal("d", names(seen(pair).players))
    assert.equal("s t", names(seen(pair).shots)) -- no map of the view
    at.x, at.y = 0, 30
    tick(room)
    tick(room, function(state)
      state.players.c.name = "C"
    end)
    assert.same({ c = { x = 0, y = 30, name = "C" } }, seen(pair).players)
    assert.equal(0, pair[1].client.resyncs)
  end)

  it("is a function's choice of the maps that the room's option names", function()
    local room = world { entities = { "players", "shots" } }
    local pair = pair_of(room)
    local function set(view)
      for _, who in ipairs(pair) do
        room:setView(who.socket, view)
      end
      clock:advance(16)
    end
    set(function(id, _, map)
      return map == "players" and id < "c" or id == "t"
    end)
    assert.same({ "a b", "t" }, { names(seen(pair).players), names(seen(pair).shots) })
    set { map = "players", radius = 1000, at = { x = 0, y = 0 } }
    assert.same({ "a b c d", "s t" }, { names(seen(pair).players), names(seen(pair).shots) })
    for i = 1, 3 do
      tick(room, function(state)
        state.players["new" .. i], state.players.a.name = { x = 2000 }, "A" .. i
      end)
    end
    set(nil)
    assert.equal("a b c d new1 new2 new3", names(seen(pair).players))
    assert.equal(0, room:getStats().viewers)
    tick(room, function(state)
      state.players.a, state.players.new1.x = nil, 5
    end)
    assert.equal("b c d new1 new2 new3", names(seen(pair).players))
    assert.equal(0, pair[1].client.resyncs)
  end)

  it("stays right through hundreds of random changes, hashes among them", function()
    local room, seed = world(), 77
    local function random(n)
      seed = seed * 16807 % 2147483647
      return seed % n + 1
    end
    local pairs_of = {}
    for i = 1, 3 do
      local view = { map = { "players", "shots" }, radius = 30 * i, at = { x = 50, y = 50 } }
      view.margin = i == 2 and 10 or 0
      pairs_of[i] = pair_of(room, view)
    end
    for _ = 1, 200 do
      tick(room, function(state)
        for _ = 1, 3 do
          local id = "p" .. random(30)
          if random(6) == 1 then
            state.players[id] = nil
          elseif state.players[id] then
            state.players[id].x, state.players[id].y = random(100), random(100)
          else
            state.players[id] = { x = random(100), y = random(100), name = id }
          end
        end
        state.shots["s" .. random(5)] = random(2) == 1 and { x = random(100), y = 50 } or nil
        state.others["o" .. random(3)] = random(255)
      end)
      for i = 1, 3 do
        seen(pairs_of[i])
      end
    end
    for i = 1, 3 do
      assert.equal(0, pairs_of[i][1].client.resyncs)
    end
  end)

  it("is told whole to who asks", function()
    local room = world { resyncInterval = 0 }
    local pair = pair_of(room, NEAR)
    local known = pair[1].client._link.numbers[next(pair[1].client._link.numbers)]
    known.state.__pp_block.state.version = 9
    tick(room, function(state)
      state.players.a.x = 4
    end)
    clock:advance(32)
    assert.equal(1, pair[1].client.resyncs)
    assert.same({ "a b", 4 }, { names(seen(pair).players), seen(pair).players.a.x })
    tick(room, function(state)
      state.players.b.x = 100
    end)
    assert.equal("a", names(seen(pair).players))
  end)

  it("is of maps that the schema has", function()
    local room = world()
    local who = rooms.connect()
    room:join(who.socket)
    for _, name in ipairs { "list", "player" } do
      local wrong = support.message(room.setView, room, who.socket, { map = name, radius = 5 })
      assert.matches(('has no map "%s"'):format(name), wrong)
    end
  end)
end)

describe("a viewer of a declared state that is behind", function()
  -- A tick before which more waits for these than is good, until this turn is over.
  local function stalled_tick(room, stalled, fn)
    room:update(fn)
    for _, who in ipairs(stalled) do
      who.socket:emit("large", ("x"):rep(5000))
    end
    timing.disarm(room)
    timing.tick(room)
  end

  -- Runs fn(step) in one turn, of a room in which a pair is near and one sees all; then they have caught up.
  local function run(options, fn)
    options.slowAbove = 1000
    local room = world(options)
    room:getState().players.a.name = ("long"):rep(50)
    local pair = pair_of(room, NEAR)
    local all = rooms.member(room)
    tick(room, function(state)
      state.players.a.x = 7
    end)
    local begun = { #pair[1].states, #pair[2].states, #pair[1].deltas, #pair[2].deltas }
    local fine, wrong
    painda.spawn(function()
      fine, wrong = pcall(fn, function(...)
        stalled_tick(room, ...)
      end, room, pair, all)
    end)
    assert(fine, wrong)
    clock:advance(200)
    assert.equal(0, pair[1].client.resyncs + pair[2].client.resyncs)
    local got = {}
    for i, list in ipairs { pair[1].states, pair[2].states, pair[1].deltas, pair[2].deltas } do
      got[i] = #list - begun[i]
    end
    assert.is_nil(next(room._snapshots))
    assert.is_nil(next(room._kept))
    return got, pair, room
  end

  local function caught_up(room)
    local stats = room:getStats()
    return { stats.fellBehind, stats.catchUpDeltas, stats.catchUps }
  end

  local function change(step, stalled)
    step(stalled, function(state)
      state.players.a.x = 1
    end)
    step({}, function(state)
      state.players.b, state.phase = nil, "night"
      state.players.c.y = 1
    end)
    step({}, function(state)
      state.players.a.x, state.players.d = 2, nil
      state.others.o, state.list[1] = 3, 4
    end)
  end

  it("is told one delta of what it sees, in frames and as JSON", function()
    local got, pair, room = run({}, function(step, room, pair)
      change(step, pair)
      assert.is_true(next(room._snapshots) ~= nil)
    end)
    assert.same({ 0, 0, 1, 1 }, got)
    assert.same({ 2, 2, 0 }, caught_up(room))
    assert.same({ 5, 2 }, { rooms.last(pair[1].deltas).version, rooms.last(pair[2].deltas).from })
    local delta = { phase = "night", others = { o = 3 }, players = {
      a = { x = 2 }, b = { __pp_deleted = true }, c = { x = 0, y = 1, name = "" },
    } }
    for _, who in ipairs(pair) do
      local told = rooms.last(who.deltas).delta
      told.list = nil
      assert.same(delta, told)
    end
    assert.same({ "a c", 2, "night" }, { names(seen(pair).players), seen(pair).players.a.x, seen(pair).phase })
    tick(room, function(state)
      state.players.a.x, state.players.c = 5, nil
    end)
    assert.same({ "a", 5 }, { names(seen(pair).players), seen(pair).players.a.x })
  end)

  it("shares what is kept with those that see all, and is told of another view", function()
    local got, pair, room = run({}, function(step, room, pair, all)
      step({ pair[1], pair[2], all }, function(state)
        state.players.a.x, state.players.c.y = 1, 1
      end)
      assert.equal("2", names(room._snapshots))
      for _, who in ipairs(pair) do
        room:setView(who.socket, { map = "players", radius = 40, at = { x = 30, y = 0 } })
      end
      step({}, function(state)
        state.players.far, state.players.new, state.players.c = { x = 900 }, { x = 35 }, nil
      end)
    end)
    assert.same({ 0, 0, 1, 1 }, got)
    assert.same({ 3, 3, 0 }, caught_up(room))
    assert.same({ "a b new", "s t" }, { names(seen(pair).players), names(seen(pair).shots) })
  end)

  it("is told all there is where its view is taken away meanwhile", function()
    local got, pair, room = run({}, function(step, room, pair)
      change(step, pair)
      for _, who in ipairs(pair) do
        room:setView(who.socket, nil)
      end
    end)
    assert.same({ 0, 0 }, { got[1], got[2] })
    assert.same({ 2, 2, 0 }, caught_up(room))
    tick(room, function(state)
      state.players.new = { x = 900 }
    end)
    tick(room, function(state)
      state.players.new.x = 901
    end)
    assert.same({ 0, "a c new", 901 }, { room:getStats().viewers, names(seen(pair).players), seen(pair).players.new.x })
  end)

  it("knew what there was where it fell behind at a tick without a change", function()
    local got, pair, room = run({}, function(step, _, pair)
      step(pair)
      step({}, function(state)
        state.players.a.x = 0 -- as it was before the last change
      end)
    end)
    assert.same({ 0, 0, 1, 1 }, got)
    assert.same({ 2, 2, 0 }, caught_up(room))
    assert.equal(0, seen(pair).players.a.x)
  end)

  it("goes on where nothing became different", function()
    local got, pair, room = run({}, function(step, _, pair)
      step(pair, function(state)
        state.players.a.x = 9
      end)
      step({}, function(state)
        state.players.a.x, state.players.d.x = 7, 600
      end)
    end)
    assert.same({ 2, 2, 0 }, caught_up(room))
    assert.same({ 0, 0 }, { got[1], got[2] })
    assert.same({ 4, 4 }, { select(2, pair[1].client:roomState "a"), select(2, pair[2].client:roomState "a") })
    assert.equal(7, seen(pair).players.a.x)
  end)

  it("is told from what is kept at each tick at which somebody can take it", function()
    local room = world { slowAbove = 1000 }
    room:getState().players.a.name = ("long"):rep(50)
    local pair, wide = pair_of(room, NEAR), { map = "players", radius = 40, at = { x = 0, y = 0 } }
    local bob, cid = rooms.viewer(room, wide), rooms.viewer(room, wide)
    local late = { [bob] = 2, [cid] = 3 }
    for turn = 1, 4 do
      painda.spawn(function()
        local stalled = turn == 1 and { pair[1], bob, cid } or {}
        for who, last in pairs(late) do
          stalled[#stalled + 1] = turn > 1 and turn <= last and who or nil
        end
        stalled_tick(room, stalled, function(state)
          state.players.a.x, state.players["new" .. turn] = turn, { x = 10 * turn }
        end)
      end)
      clock:advance(0)
      assert.equal(turn < 4, next(room._snapshots) ~= nil)
    end
    assert.same({ 1, 1, 1 }, { #pair[1].states, #bob.states, #cid.states })
    assert.same({ 3, 2, 1 }, { #pair[1].deltas, #bob.deltas, #cid.deltas })
    assert.same({ 3, 3, 0 }, caught_up(room))
    assert.same({ "a b new1 new2", 4 }, { names(seen(pair).players), seen(pair).players.a.x })
    for _, who in ipairs { bob, cid } do
      assert.same({ "a b c new1 new2 new3 new4", 4 }, { names(plain(who).players), plain(who).players.a.x })
      assert.equal(0, who.client.resyncs)
    end
  end)

  it("is told one delta where a key is another's by then that it did not know, or does not see", function()
    local got, pair, room = run({}, function(step, _, pair)
      step(pair, function(state)
        state.players.a.x, state.players.d = 1, nil
      end)
      step({}, function(state)
        state.players.new, state.players.b = { x = 2 }, nil
      end)
      step({}, function(state)
        state.players.far, state.players.b = { x = 900 }, { x = 950 } -- another
      end)
    end)
    assert.same({ 0, 0, 1, 1 }, got)
    assert.same({ 2, 2, 0 }, caught_up(room))
    assert.same({ "a new", 1 }, { names(seen(pair).players), seen(pair).players.a.x })
  end)

  it("is told the whole where a key is another's by then, or nothing is kept", function()
    for _, options in ipairs { {}, { maxKeptStates = 0 } } do
      local got, pair, room = run(options, function(step, _, pair)
        step({ pair[1] }, function(state)
          state.players.b = nil
        end)
        step({}, function(state)
          state.players.b = { x = 1 } -- another
        end)
      end)
      assert.same({ 1, 0 }, { got[1], got[3] })
      assert.same({ 1, 0, 1 }, caught_up(room))
      assert.same({ "a b", 1 }, { names(seen(pair).players), seen(pair).players.b.x })
      room:dispose()
    end
  end)
end)
