local declared = require "painda.declared"
local painda = require "painda"
local core = require "painda.core.client"
local rooms = require "room_support"
local support = require "support"

local connect, member, last = rooms.connect, rooms.member, rooms.last
local server, clock

-- Not made of anything that another spec declares: the same fields make the same schema.
local FIELDS = {
  round = "uint16",
  names = painda.list("string"),
  players = painda.map("string", { x = "float32", hp = "uint8", name = "string" }),
}

before_each(function()
  server, clock = rooms.start()
end)

local function plain(state)
  return type(state) == "table" and state or declared.schema_of(state):toTable(state)
end

-- What the clients of the room's members have of it, as tables.
local function seen(...)
  local out = {}
  for i, who in ipairs { ... } do
    out[i] = plain((who.client:roomState "a"))
  end
  return unpack(out)
end

local function new_room(options)
  local schema = painda.schema(FIELDS)
  return server:room("a", schema:new { round = 1 }, options), schema
end

describe("a room with a declared state", function()
  it("takes a schema, a state, or a function that makes one", function()
    local schema = painda.schema(FIELDS)
    assert.equal(0, server:room("one", schema):getState().round)
    assert.equal(5, server:room("two", schema:new { round = 5 }):getState().round)
    local room = server:room("three", function()
      return schema:new { round = 6 }
    end)
    assert.same({ round = 6, names = {}, players = {} }, last(member(room, { stateFrames = false }).states).state)
  end)

  it("tells members the same, as frames and as JSON", function()
    local room = new_room()
    local ann, bob = member(room), member(room, { stateFrames = false })
    assert.same({ round = 1, names = {}, players = {} }, last(bob.states).state)
    assert.equal(1, last(ann.states).state.round)
    room:update(function(state)
      state.round = 2
      state.players.p1 = { x = 1.5, hp = 100, name = "Ann" }
      state.names[1] = "Ann"
    end)
    clock:advance(16)
    local delta = { round = 2, players = { p1 = { x = 1.5, hp = 100, name = "Ann" } }, names = { "Ann" } }
    for _, who in ipairs { ann, bob } do
      assert.equal(1, #who.deltas)
      assert.same(delta, last(who.deltas).delta)
      assert.equal(1, last(who.deltas).version)
      assert.same({ 1 }, { select(2, who.client:roomState "a") })
    end
    room:update(function(state)
      state.players.p1.hp = 90
    end)
    clock:advance(16)
    local of_ann, of_bob = seen(ann, bob)
    assert.same(of_ann, of_bob)
    assert.same(delta.players.p1.x, of_ann.players.p1.x)
    assert.equal(90, of_ann.players.p1.hp)
    assert.same({ players = { p1 = { hp = 90 } } }, last(ann.deltas).delta)
    assert.same(last(ann.deltas).delta, last(bob.deltas).delta)
  end)

  it("sends nothing where nothing changed, or was changed back", function()
    local room = new_room()
    local ann = member(room)
    local before = server:getStats()
    room:update()
    room:update(function(state)
      state.round = 9
      state.round = 1
    end)
    clock:advance(100)
    assert.equal(0, #ann.deltas)
    assert.equal(before.messagesSent, server:getStats().messagesSent)
    assert.equal(0, server:getStats().roomDeltas)
  end)

  it("notices what is written to it, without being told", function()
    local room = new_room()
    local ann = member(room)
    local state = room:getState()
    for i = 2, 200 do -- compiled code does it too
      state.round = i
    end
    clock:advance(32)
    state.players.p1 = {}
    clock:advance(32)
    state.players.p1.hp = 3
    clock:advance(100)
    local added = { players = { p1 = { x = 0, hp = 0, name = "" } } }
    assert.same({ { round = 200 }, added, { players = { p1 = { hp = 3 } } } }, rooms.deltas(ann))
    room:dispose()
    state.round = 1
    clock:advance(100)
  end)

  it("is forgotten with its state", function()
    local held = setmetatable({}, { __mode = "k" })
    for i = 1, 20 do
      local room = server:room("r" .. i, painda.schema(FIELDS))
      room:getState().round = i
      held[room] = true
      room:dispose()
    end
    collectgarbage()
    clock:advance(0)
    collectgarbage()
    assert.is_nil(next(held))
  end)

  it("ticks over it", function()
    local room = new_room()
    local ann = member(room)
    room:on("tick", function(state)
      state.round = state.round + 1
    end)
    clock:advance(160)
    assert.equal(11, ann.client:roomState("a").round)
    assert.equal(10, #ann.deltas)
  end)

  it("gives its state other values by setState, and members hear what that changes", function()
    local room = new_room()
    local state = room:getState()
    local ann = member(room)
    room:setState { round = 1, players = { p1 = { hp = 1 } } }
    assert.equal(state, room:getState())
    clock:advance(16)
    assert.same({ players = { p1 = { x = 0, hp = 1, name = "" } } }, last(ann.deltas).delta)
    local ok, wrong = pcall(room.setState, room, { round = -1 })
    assert.is_false(ok)
    assert.matches("round: a whole number from 0 to 65535 expected, not %-1", wrong)
  end)

  it("is named, with place and value, where something does not fit", function()
    local room, schema = new_room()
    local state = room:getState()
    local function refused(expected, fn)
      local ok, wrong = pcall(fn)
      assert.is_false(ok)
      assert.matches(expected, wrong, 1, true)
    end
    refused('declared_room_spec.lua:', function() state.round = -1 end)
    refused('room "a": round: a whole number from 0 to 65535 expected, not -1', function() state.round = -1 end)
    state.players.p1 = {}
    refused('room "a": players.p1.hp: a whole number', function() state.players.p1.hp = 1.5 end)
    refused('room "a": players.p2.hp: a whole number', function() state.players.p2 = { hp = 256 } end)
    refused('room "a": names.1: a string', function() state.names[1] = 5 end)
    refused('room "a": names: it has 0 items', function() state.names[2] = "x" end)
    refused('room "a": the state: there is no field "runde", did you mean "round"?', function() state.runde = 1 end)
    refused('room "a": players: "__pp_x" is no key', function() state.players.__pp_x = {} end)
    refused('schema:delta: the state is room "a"\'s, whose ticks do that', function() schema:delta(state) end)
    room:dispose()
    refused("round: a whole number", function() state.round = -1 end)
    assert.is_not_nil(schema:delta(state))
  end)

  it("tells who joins between two ticks what the others know, then the delta with them", function()
    local room = new_room()
    member(room)
    room:update(function(state)
      state.round = 7
    end)
    local bob, eve = member(room), member(room, { stateFrames = false })
    assert.equal(1, bob.client:roomState("a").round)
    clock:advance(16)
    assert.same({ round = 7 }, last(bob.deltas).delta)
    assert.same(seen(bob, eve), last(eve.deltas).state)
  end)

  it("keeps a client's state object while the room is made of the same", function()
    local room = new_room()
    local ann = member(room)
    local state = ann.client:roomState "a"
    room:leave(ann.socket)
    room:update(function(it)
      it.round = 3
    end)
    room:join(ann.socket)
    clock:advance(16)
    assert.equal(state, (ann.client:roomState "a"))
    assert.equal(3, state.round)
  end)

  it("begins where its state's version is", function()
    local schema = painda.schema(FIELDS)
    local state = schema:new()
    for i = 1, 3 do
      state.round = i
      schema:delta(state)
    end
    local room = server:room("a", state)
    local ann, bob = member(room), member(room, { stateFrames = false })
    room:update(function()
      state.round = 10
    end)
    clock:advance(16)
    assert.same({ 4, 4 }, { last(ann.deltas).version, last(bob.deltas).version })
    assert.equal(0, ann.client.resyncs + bob.client.resyncs)
  end)

  it("sends the state to nobody with syncOnJoin = false, and who takes frames asks for it", function()
    local room = new_room { syncOnJoin = false }
    local ann = member(room)
    assert.equal(0, #ann.states)
    assert.is_nil(ann.client:roomState "a")
    room:update(function(state)
      state.round = 3
    end)
    clock:advance(32)
    assert.equal(3, ann.client:roomState("a").round)
    assert.same({ 1, 0 }, { #ann.states, #ann.deltas })
  end)

  it("may be one of several that a client is in", function()
    local one, two = new_room(), server:room("b", painda.schema { n = "varint" })
    local ann = member(one)
    two:join(ann.socket)
    two:update(function(state)
      state.n = 77
    end)
    clock:advance(16)
    assert.same({ 1, 77 }, { ann.client:roomState("a").round, ann.client:roomState("b").n })
  end)

  it("is the room that was there where it is asked for again", function()
    local room = new_room()
    assert.equal(room, (new_room()))
    assert.has_error(function()
      server:room("b", room:getState())
    end)
    assert.matches("diffAlgorithm is for plain states", support.message(server.room, server, "c",
      painda.schema(FIELDS), { diffAlgorithm = "shallow" }))
  end)
end)

describe("a member's declared state", function()
  -- Changes what the client keeps of its room.
  local function break_link(who, change)
    local link = who.client._link
    change(link.numbers[next(link.numbers)])
  end

  local function tick(room, n)
    for _ = 1, n do
      room:update(function(state)
        state.round = state.round + 1
      end)
      clock:advance(16)
    end
  end

  it("is seen to be another by the hash of each 64th delta, counted on both sides, and healed", function()
    local room = new_room { resyncInterval = 0 }
    local ann = member(room)
    tick(room, 3)
    break_link(ann, function(known) -- its own delta makes another state of it
      known.state.players.ghost = { hp = 1 }
      known.schema:delta(known.state)
      known.state.__pp_block.state.version = 3
    end)
    tick(room, 60)
    assert.equal(0, ann.client.resyncs)
    tick(room, 1)
    clock:advance(16)
    assert.same({ 1, 1 }, { ann.client.resyncs, ann.client.desyncs })
    local stats = server:getStats()
    assert.same({ 1, 1 }, { stats.roomResyncs, stats.roomDesyncs })
    tick(room, 70)
    assert.same({ round = 135, names = {}, players = {} }, seen(ann))
    assert.equal(1, ann.client.resyncs)
  end)

  it("is asked for where a delta is missing", function()
    local room = new_room { resyncInterval = 0 }
    local ann = member(room)
    tick(room, 2)
    break_link(ann, function(known)
      known.state.__pp_block.state.version = 1
    end)
    tick(room, 2)
    clock:advance(16)
    assert.same({ 1, 0 }, { ann.client.resyncs, ann.client.desyncs })
    tick(room, 2)
    assert.equal(7, ann.client:roomState("a").round)
  end)

  it("is not harmed by frames that are none", function()
    local room = new_room()
    local ann = member(room)
    local errors = support.record(ann.client, "error")
    local frames = require "painda.client.room_frames"
    local number = next(ann.client._link.numbers)
    for _, bytes in ipairs { "", "\255", "\255\255\255\255\255\255\255\255\255\255", "\0", "\120abc" } do
      for id = 0xFF00, 0xFF03 do
        frames.on_frame(ann.client, id, bytes)
      end
    end
    assert.same({ round = 1, names = {}, players = {} }, seen(ann))
    assert.equal(0, ann.client.resyncs)
    frames.on_frame(ann.client, 0xFF02, string.char(number) .. "\1\255\255")
    assert.equal(1, ann.client.resyncs)
    assert.is_true(#errors > 0)
    clock:advance(16)
    tick(room, 1)
    assert.equal(2, ann.client:roomState("a").round)
  end)

  it("is what the server says: what a client writes to it is lost, and its frames are refused", function()
    local room = new_room()
    local ann, bob = member(room), connect()
    ann.client:roomState("a").round = 500
    tick(room, 1)
    assert.equal(2, ann.client:roomState("a").round)
    assert.equal(2, room:getState().round)
    core.send(bob.client._link.connection, "__pp_room_delta", { room = "a", delta = { round = 9 }, version = 2 })
    clock:advance(32)
    assert.equal(2, room:getState().round)
    assert.equal(1, server:getStats().forbidden)
  end)

  it("is not told for a room that is left, nor kept without end", function()
    local ann = connect()
    local schema = painda.schema { n = "uint8" }
    for i = 1, 1030 do
      local room = server:room("room" .. i, schema)
      room:join(ann.socket)
      room:dispose()
    end
    clock:advance(0)
    assert.is_nil(ann.client:roomState "room6")
    assert.is_not_nil(ann.client:roomState "room7")
    assert.is_not_nil(ann.client:roomState "room1030")
    local count = 0
    for _ in pairs(ann.client._link.numbers) do
      count = count + 1
    end
    assert.equal(1024, count)
  end)
end)

describe("a member that is behind in a declared state", function()
  local timing = require "painda.typed_room.ticks"

  before_each(function()
    server, clock = rooms.start { compression = "none" }
  end)

  local function step(room, stalled, fn)
    local state = room:getState()
    state.round = state.round + 1
    if fn then
      fn(state)
    end
    for _, who in ipairs(stalled or {}) do -- waits with what is sent in this turn
      who.socket:emit("large", ("x"):rep(5000))
    end
    timing.disarm(room)
    room:update()
    timing.disarm(room)
    timing.tick(room)
  end

  local function start(options)
    options = options or {}
    options.slowAbove = 1000
    local schema = painda.schema(FIELDS)
    local state = schema:new()
    for i = 1, 30 do
      state.players["p" .. i] = { x = i * 1.1, hp = i, name = "player number " .. i }
    end
    local room = server:room("a", state, options)
    return room, member(room), member(room, { stateFrames = false }), member(room)
  end

  it("is told by one delta from what it was told last, in either form", function()
    local room, ann, bob, cid = start()
    step(room)
    clock:advance(100)
    painda.spawn(function()
      step(room, { ann, bob })
      step(room, nil, function(state)
        state.players.new, state.names[1] = { hp = 9 }, "x"
      end)
      step(room, nil, function(state)
        state.players.p7 = nil
      end)
    end)
    clock:advance(100)
    assert.equal(4, #cid.deltas)
    for _, who in ipairs { ann, bob } do
      assert.same({ 1, 2 }, { #who.states, #who.deltas })
      local delta = last(who.deltas).delta
      assert.same({ 4, "x", { __pp_deleted = true } }, { delta.round, delta.names[1], delta.players.p7 })
      assert.same({ 0, room._version }, { who.client.resyncs, last(who.deltas).version })
    end
    local of_ann, of_bob, of_cid = seen(ann, bob, cid)
    assert.same(of_cid, of_ann)
    assert.equal(of_cid.round, of_bob.round)
    local stats = server:getStats()
    assert.same({ 2, 2, 0 }, { stats.roomMembersFellBehind, stats.roomCatchUpDeltas, stats.roomCatchUps })
    assert.is_nil(next(room._snapshots))
    step(room)
    clock:advance(100)
    assert.same({ 5, 5 }, { ann.client:roomState("a").round, bob.client:roomState("a").round })
  end)

  it("or by the whole, where none is kept, or a number or key is another's by then", function()
    for _, options in ipairs { { maxKeptStates = 0 }, {} } do
      local room, ann, bob = start(options)
      painda.spawn(function()
        step(room, { ann, bob }, function(state)
          state.players.p1 = nil
        end)
        step(room, nil, function(state)
          state.players.other = {} -- has p1's number now
          state.players.p1 = { hp = 200 }
        end)
      end)
      clock:advance(100)
      assert.same({ 2, 2, 0 }, { #ann.states, #bob.states, ann.client.resyncs })
      assert.equal(200, ann.client:roomState("a").players.p1.hp)
      room:dispose()
    end
  end)
end)
