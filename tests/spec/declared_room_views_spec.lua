-- Views of rooms with a declared state: who takes frames and who takes JSON see the same part.
local declared = require "painda.declared"
local painda = require "painda"
local rooms = require "room_support"
local support = require "support"

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

  it("is told whole to who was behind, or asks", function()
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
