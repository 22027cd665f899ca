local painda = require "painda"
local rooms = require "room_support"
local support = require "support"
local task = require "painda.task"

local message, raised = support.message, support.raised
local connect, member, last = rooms.connect, rooms.member, rooms.last
local deltas, quietly = rooms.deltas, rooms.quietly
local server, clock

local function start(options)
  server, clock = rooms.start(options)
end

before_each(function()
  start()
end)

describe("a typed room", function()
  it("sends the state to who joins, and one delta a tick to all", function()
    local room = server:room("lobby", { phase = "waiting", score = {} })
    local ann, bob = member(room), member(room)
    local whole = { room = "lobby", state = { phase = "waiting", score = {} }, full = true, version = 0 }
    assert.same(whole, last(ann.states))
    room:update(function(state)
      state.phase = "playing"
    end)
    room:update(function(state)
      state.score.ann = 10
    end)
    clock:advance(16)
    for _, who in ipairs { ann, bob } do
      assert.equal(1, #who.deltas)
      assert.same({ phase = "playing", score = { ann = 10 } }, last(who.deltas).delta)
      assert.equal(1, last(who.deltas).version)
    end
    clock:advance(1000)
    assert.equal(1, #ann.deltas)
    assert.equal(1, #ann.states)
    assert.equal(1, server:getStats().roomDeltas)
  end)

  it("is the same wherever it is asked for", function()
    local room = server:room("b", { n = 1 })
    assert.equal(room, server:room("b", { n = 2 }))
    assert.equal(room, server:getRoom "b")
    assert.equal(1, room:getState().n)
    server:room "a"
    assert.same({ "a", "b" }, server:getRoomIds())
    assert.equal(2, server:getStats().typedRooms)
    assert.is_true(server:deleteRoom "b")
    assert.is_false(server:deleteRoom "b")
    assert.is_nil(server:getRoom "b")
    assert.is_true(room.disposed)
    assert.is_not.equal(room, server:room "b")
  end)

  it("numbers its deltas without a gap, from what the joining were told", function()
    local room = server:room("a", { n = 0 })
    local ann = member(room)
    for i = 1, 3 do
      room:getState().n = i
      room:update()
      clock:advance(16)
    end
    local bob = member(room)
    room:setState { n = 9, m = {} }
    clock:advance(16)
    assert.same({ { n = 1 }, { n = 2 }, { n = 3 }, { n = 9, m = {} } }, deltas(ann))
    assert.equal(3, last(bob.states).version)
    assert.same({ n = 3 }, last(bob.states).state)
    assert.equal(4, last(bob.deltas).version)
  end)

  it("tells who joins between two ticks what the others know, then the delta with them", function()
    local room = server:room("a", { n = 0 })
    member(room)
    room:update(function(state)
      state.n = 1
    end)
    local bob = member(room)
    assert.same({ n = 0 }, last(bob.states).state)
    clock:advance(16)
    assert.same({ { n = 1 } }, deltas(bob))
  end)

  it("tells the first to join the state as it is", function()
    local room = server:room("a", { n = 0 })
    room:update(function(state)
      state.n = 1
    end)
    clock:advance(100)
    local ann = member(room)
    assert.same({ n = 1 }, last(ann.states).state)
    clock:advance(100)
    assert.equal(0, #ann.deltas)
  end)

  it("sends nothing where what was touched is as it was", function()
    local room = server:room("a", { n = 0 })
    local ann = member(room)
    room:update()
    room:setState { n = 0 }
    clock:advance(100)
    assert.equal(0, #ann.deltas)
  end)

  it("tells what was taken away", function()
    local room = server:room("a", { players = { ann = { x = 1 }, bob = { x = 2 } } })
    local ann = member(room)
    room:update(function(state)
      state.players.bob = nil
    end)
    clock:advance(16)
    assert.same({ players = { bob = { __pp_deleted = true } } }, last(ann.deltas).delta)
  end)

  it("hands its members' clients the state as a delta leaves it", function()
    local room = server:room("a", { list = { { x = 1 }, { x = 2 } }, kept = {} })
    local ann = member(room)
    room:update(function(state)
      table.insert(state.list, 1, { x = 0 })
      state.kept.y = painda.null
    end)
    clock:advance(16)
    local first = last(ann.deltas).state
    assert.same({ list = { { x = 0 }, { x = 1 }, { x = 2 } }, kept = { y = painda.null } }, first)
    room:update(function(state)
      state.kept = nil
    end)
    clock:advance(16)
    assert.same({ list = { { x = 0 }, { x = 1 }, { x = 2 } } }, last(ann.deltas).state)
    assert.equal(first.list, last(ann.deltas).state.list)
    assert.is_not_nil(first.kept) -- what was given away is not changed
  end)

  it("sees what update changes after it has waited", function()
    local room = server:room("a", { n = 0 })
    local ann = member(room)
    painda.spawn(function()
      room:update(function(state)
        state.n = 1
        painda.sleep(50)
        state.n = 2
      end)
    end)
    clock:advance(16)
    assert.same({ { n = 1 } }, deltas(ann))
    clock:advance(100)
    assert.same({ { n = 1 }, { n = 2 } }, deltas(ann))
  end)

  it("sends no state at the joining where that is not wanted", function()
    local room = server:room("a", { n = 0 }, { syncOnJoin = false })
    local ann = member(room)
    room:update(function(state)
      state.n = 1
    end)
    clock:advance(16)
    assert.equal(0, #ann.states)
    assert.same({ { n = 1 } }, deltas(ann))
  end)

  it("finds changes by the first level alone, or by a function, where that is asked for", function()
    local shallow = server:room("shallow", { a = { x = 1, y = 1 }, b = 1 }, { diffAlgorithm = "shallow" })
    local own = server:room("own", { n = 0, secret = 1 }, {
      diffAlgorithm = function(old, new)
        return new.n ~= old.n and { n = new.n } or nil
      end,
    })
    local ann, bob = member(shallow), member(own)
    shallow:update(function(state)
      state.a.x = 2
    end)
    own:update(function(state)
      state.secret = 2
    end)
    clock:advance(16)
    assert.same({ { a = { __pp_value = { x = 2, y = 1 } } } }, deltas(ann))
    assert.same({ a = { x = 2, y = 1 }, b = 1 }, last(ann.deltas).state)
    assert.same({}, deltas(bob))
    own:update(function(state)
      state.n = 1
    end)
    clock:advance(16)
    assert.same({ { n = 1 } }, deltas(bob))
  end)

  it("takes its initial state from a function, called where the room is made", function()
    local calls = 0
    local function initial()
      calls = calls + 1
      return { n = calls }
    end
    assert.equal(1, server:room("a", initial):getState().n)
    assert.equal(1, server:room("a", initial):getState().n)
    assert.equal(2, server:room("b", initial):getState().n)
    assert.same({}, server:room("c"):getState())
  end)

  it("broadcasts to its members, and to no room of that name", function()
    local room = server:room "lobby"
    local ann, bob, eve = member(room), member(room), connect()
    eve.socket:join "lobby"
    local heard = {}
    for name, who in pairs { ann = ann, bob = bob, eve = eve } do
      who.client:on("hello", function(payload)
        heard[#heard + 1] = name .. payload
      end)
    end
    assert.equal(1, room:broadcast({ type = "hello", payload = 1 }, ann.socket))
    assert.equal(2, room:broadcast { type = "hello", payload = 2 })
    assert.equal(1, server:to("lobby"):emit("hello", 3))
    clock:advance(0)
    table.sort(heard)
    assert.same({ "ann2", "bob1", "bob2", "eve3" }, heard)
    assert.same({ "lobby" }, eve.socket.rooms)
    assert.same({}, ann.socket.rooms)
    assert.matches("takes a message", raised(room.broadcast, room, "hello"))
  end)

  it("ends with its members, its handlers told", function()
    local room = server:room "a"
    local ann, left = member(room), support.record(room, "leave")
    assert.is_true(room:dispose())
    assert.is_false(room:dispose())
    clock:advance(0)
    assert.same({ { ann.socket, "disposed" } }, left)
    assert.same({ false, "disposed" }, { room:join(ann.socket) })
    assert.same({ nil, "disposed" }, { room:update() })
    assert.same({ nil, "disposed" }, { room:setState {} })
    assert.equal(0, room:broadcast { type = "x" })
    assert.same({}, server:getRoomIds())
  end)

  it("ends with the server", function()
    local room = server:room("a", { n = 0 })
    room:on("tick", function() end)
    rooms.env:close()
    assert.is_true(room.disposed)
  end)
end)

describe("the members of a typed room", function()
  it("are told of by events, the server's and the plugins' too", function()
    local hooks = {}
    server:register {
      name = "watch",
      install = function()
        return {
          onRoomJoin = function(client, name)
            hooks[#hooks + 1] = { "join", client, name }
          end,
          onRoomLeave = function(client, name)
            hooks[#hooks + 1] = { "leave", client, name }
          end,
        }
      end,
    }
    local room = server:room "a"
    local joined, left = support.record(room, "join"), support.record(room, "leave")
    local joins, leaves = support.record(server, "roomJoin"), support.record(server, "roomLeave")
    local ann, bob = member(room), member(room)
    assert.is_true(room:join(ann.socket)) -- it is one already
    assert.is_true(room:has(ann.socket))
    assert.same({ ann.socket, bob.socket }, room:getClients())
    assert.equal(2, room.clientCount)
    assert.is_true(room:leave(ann.socket))
    assert.is_false(room:leave(ann.socket))
    bob.client:close()
    clock:advance(0)
    assert.same({ { ann.socket }, { bob.socket } }, joined)
    assert.same({ { ann.socket, "leave" }, { bob.socket, "client disconnect" } }, left)
    assert.same({ { ann.socket, "a" }, { bob.socket, "a" } }, joins)
    assert.same(joins, leaves)
    assert.equal(4, #hooks)
    assert.equal(0, room.clientCount)
    assert.is_false(room:has(bob.socket))
    assert.same({ false, "closed" }, { room:join(bob.socket) })
    room:update(function(state)
      state.n = 1
    end)
    clock:advance(100)
    assert.equal(0, #ann.deltas)
  end)

  it("can't join while it is locked, and stay", function()
    local room = server:room "a"
    local ann, bob = member(room), connect()
    assert.is_false(room.locked)
    assert.equal(room, room:lock())
    assert.is_true(room.locked)
    assert.same({ false, "locked" }, { room:join(bob.socket) })
    assert.is_true(room:has(ann.socket))
    room:unlock()
    assert.is_true(room:join(bob.socket))
  end)

  it("are as many as there are seats", function()
    local room = server:room("a", {}, { maxClients = 1 })
    local ann, bob = member(room), connect()
    assert.same({ false, "full" }, { room:join(bob.socket) })
    room:leave(ann.socket)
    assert.is_true(room:join(bob.socket))
  end)

  it("make way for who comes, the oldest first, where that is wanted", function()
    local room = server:room("a", {}, { maxClients = 2, onFull = "kick-oldest" })
    local left = support.record(room, "leave")
    local ann, bob = member(room), member(room)
    local told = support.record(ann.client, "serverError")
    local eve = member(room)
    assert.same({ bob.socket, eve.socket }, room:getClients())
    assert.same({ { ann.socket, "kicked" } }, left)
    assert.equal("ROOM_ERROR", told[1][1].code)
    assert.equal('you had to leave the room "a": it is full', told[1][1].message)
  end)

  it("are never more than there are seats, whatever who is told of a leave does", function()
    local room = server:room("a", {}, { maxClients = 1, onFull = "kick-oldest" })
    local ann, bob = member(room), connect()
    local rejoined = false
    room:on("leave", function(client)
      if not rejoined then
        rejoined = true
        assert(room:join(client))
      end
    end)
    assert.same({ false, "full" }, { room:join(bob.socket) })
    assert.same({ ann.socket }, room:getClients())
    room:on("leave", function()
      room:join(bob.socket)
    end)
    assert.is_true(room:join(bob.socket))
    assert.same({ bob.socket }, room:getClients())
    assert.equal(1, room.clientCount)
    assert.is_true(room:leave(bob.socket))
  end)

  it("are let in by auth, which may wait", function()
    local go = task.waiter()
    local room
    room = server:room("a", {}, {
      maxClients = 1,
      auth = function(client, data, of)
        assert(of == room and client.id)
        if data == "wait" then
          return go:wait()
        end
        return data == "yes", data ~= "no" and data or nil
      end,
    })
    local ann, bob = connect(), connect()
    assert.same({ false, "refused" }, { room:join(ann.socket, "no") })
    assert.same({ false, "not today" }, { room:join(ann.socket, "not today") })
    local answer
    painda.spawn(function()
      answer = { room:join(ann.socket, "wait") }
    end)
    assert.is_nil(answer)
    assert.is_true(room:join(bob.socket, "yes"))
    go:wake(true)
    clock:advance(0)
    assert.same({ false, "full" }, answer) -- the seat went while it waited
  end)

  it("stay outside where auth raises, which is told", function()
    local room = server:room("a", {}, {
      auth = function()
        error "on purpose"
      end,
    })
    local errors = support.record(server, "error")
    local ann = connect()
    quietly(function()
      assert.same({ false, "refused" }, { room:join(ann.socket) })
    end)
    assert.equal('room "a": auth failed', errors[1][1].message)
    assert.equal(1, server:getStats().roomErrors)
  end)

  it("count among the rooms that a client may be in", function()
    start { maxRoomsPerClient = 1 }
    local ann = connect()
    assert.is_true(server:room("a"):join(ann.socket))
    local joined, why = server:room("b"):join(ann.socket)
    assert.is_false(joined)
    assert.equal("a client is in at most 1 rooms (maxRoomsPerClient)", why)
    assert.equal(0, server:room("b").clientCount)
  end)

  it("hear of the state once middleware has let them in", function()
    local room, go = server:room("a", { n = 1 }), task.waiter()
    server:use(function(client, next)
      room:join(client)
      go:wait()
      next()
    end)
    local client = painda.PPVirtualClient "ann"
    local states, deltas_told = support.record(client, "roomState"), support.record(client, "roomDelta")
    client:connect(server)
    clock:advance(0)
    room:update(function(state)
      state.n = 2
    end)
    clock:advance(100)
    assert.equal(0, #states + #deltas_told)
    assert.equal(0, room.clientCount)
    go:wake()
    clock:advance(0)
    assert.same({ n = 2 }, states[1][1].state)
    assert.equal(1, room.clientCount)
    room:update(function(state)
      state.n = 3
    end)
    clock:advance(16)
    assert.equal(1, #deltas_told)
  end)

  it("are clients of the room's server", function()
    local room = server:room "a"
    assert.matches("room:join takes a client of the room's server, not a nil", raised(room.join, room))
    assert.matches("not a string", raised(room.has, room, "ann"))
    assert.matches("call it with a colon: room:leave", raised(room.leave, {}))
    local socket = connect().socket
    start()
    assert.matches("not a client of another server", raised(server:room("b").join, server:room "b", socket))
  end)
end)

describe("a typed room's arguments", function()
  it("are checked like those of others", function()
    assert.equal('server:room has no option "maxClient", did you mean "maxClients"?',
      message(server.room, server, "a", {}, { maxClient = 1 }))
    assert.matches('option "tickRate" must be from 1', message(server.room, server, "a", {}, { tickRate = 0 }))
    assert.matches('"diffAlgorithm" must be "deep", "shallow" or a function, not "shalow", did you mean "shallow"?',
      message(server.room, server, "a", {}, { diffAlgorithm = "shalow" }), 1, true)
    assert.matches('"onFull" must be one of "reject", "kick', message(server.room, server, "a", {}, { onFull = 1 }))
    assert.matches("server:room takes a table of options", message(server.room, server, "a", {}, 5))
    assert.matches("the id of a room is empty", message(server.room, server, ""))
    assert.matches("the id of a room holds a control character", message(server.room, server, "a\0"))
    assert.matches("the id of a room is a string, not a number", message(server.room, server, 5))
    assert.equal("a room's state is a table or a declared state, not a number", message(server.room, server, "a", 5))
    local room = server:room "a"
    assert.equal('room:on: there is no event "tock", did you mean "tick"?', message(room.on, room, "tock", print))
    assert.matches("takes a function", message(room.on, room, "tick", 1))
    assert.matches("room:update takes a function", message(room.update, room, 1))
    assert.matches("a room's state is a table", message(room.setState, room, 1))
    assert.matches("typed_room_spec.lua:%d+: ", raised(function()
      server:room("b", {}, { maxClient = 1 })
    end))
    assert.same({ "a" }, server:getRoomIds())
  end)

  it("may be no table that is the state of another room", function()
    local shared = {}
    local room = server:room("a", shared)
    assert.matches('this table is the state of the room "a" already', raised(server.room, server, "b", shared))
    assert.same({ "a" }, server:getRoomIds())
    room:setState(shared)
    room:setState {}
    server:room("b", shared)
  end)

  it("are as many as maxTypedRooms allows", function()
    start { maxTypedRooms = 1 }
    server:room "a"
    server:room "a"
    assert.equal("server:room: there are 1 rooms already (maxTypedRooms)", message(server.room, server, "b"))
    server:deleteRoom "a"
    server:room "b"
  end)
end)

describe("a state that can't be sent", function()
  local deep = {}
  do
    local at = deep
    for _ = 1, 1000 do
      at.x = {}
      at = at.x
    end
  end
  local cyclic = {}
  cyclic.x = cyclic
  local BAD = {
    ["players%.ann%.x: NaN"] = { players = { ann = { x = 0 / 0 } } },
    ["fn: a function"] = { fn = print },
    ["list: the table's number keys"] = { list = { 1, nil, 3, [7] = 1 } },
    ["x: a userdata"] = { x = painda.PPSchemaRegistry() },
    ["nested deeper"] = cyclic,
    ["deeper than 60 levels"] = deep,
    ["the state is more than 524288 bytes as JSON %(maxStateSize%)"] = { text = ("x"):rep(600000) },
    ["text: the state is too large from here on"] = { text = ("x"):rep(10e6) },
    ["text: .*UTF"] = { text = "\255" },
  }

  it("is refused where the room is made, by room and path", function()
    for what, state in pairs(BAD) do
      local text = message(server.room, server, "a", state)
      assert.matches('^room "a": .*' .. what, text)
    end
    assert.same({}, server:getRoomIds())
  end)

  it("leaves the members with the last that could, is told once, and is over when it is mended", function()
    for what, state in pairs(BAD) do
      local room = server:room("bad", { n = 1 })
      local ann, errors = member(room), support.record(server, "error")
      quietly(function()
        room:setState(state)
        clock:advance(100)
        room:update()
        clock:advance(100)
      end)
      assert.equal(1, #errors, what)
      assert.equal("ROOM_ERROR", errors[1][1].code)
      assert.matches('^room "bad": .*' .. what .. ".*; its members keep the last good state$", errors[1][1].message)
      local bob = member(room)
      assert.same({ n = 1 }, last(bob.states).state)
      room:setState { n = 2 }
      clock:advance(16)
      assert.same({ { n = 2 } }, deltas(ann))
      assert.equal(1, last(bob.deltas).version)
      room:dispose()
    end
    assert.is_true(server:getStats().roomErrors >= 8)
  end)

  it("is one that a diffAlgorithm raises for", function()
    local room = server:room("a", { n = 0 }, {
      diffAlgorithm = function()
        error "on purpose"
      end,
    })
    local errors = support.record(server, "error")
    member(room)
    quietly(function()
      room:setState { n = 1 }
      clock:advance(16)
    end)
    assert.matches("diffAlgorithm failed: .*on purpose", errors[1][1].message)
  end)
end)
