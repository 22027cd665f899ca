local painda = require "painda"
local reload = require "painda.reload"
local rooms = require "room_support"
local support = require "support"
local timing = require "painda.typed_room.ticks"

local connect, member, last = rooms.connect, rooms.member, rooms.last
local quietly = rooms.quietly
local server, clock

local function start(options)
  server, clock = rooms.start(options)
end

before_each(function()
  start()
end)

describe("the ticks of a typed room", function()
  it("call handlers that may change the state, at the rate", function()
    local room, times = server:room("a", { n = 0 }, { tickRate = 50 }), {}
    local ann = member(room)
    room:on("tick", function(state, elapsed, of)
      assert(of == room)
      times[#times + 1] = elapsed
      state.n = state.n + 1
    end)
    clock:advance(1000)
    assert.equal(20, #times)
    for i = 2, 20 do
      assert.is_true(math.abs(times[i] - 50) <= 1)
    end
    assert.equal(20, #ann.deltas)
    assert.equal(room:getState().n, last(ann.deltas).delta.n)
  end)

  it("compare nothing where the handlers say that nothing changed", function()
    local compared = 0
    local room = server:room("a", { n = 0 }, {
      diffAlgorithm = function()
        compared = compared + 1
      end,
    })
    member(room)
    room:on("tick", function(state)
      state.n = state.n + 1
      return false
    end)
    clock:advance(160)
    assert.equal(0, compared)
    room:update()
    clock:advance(16)
    assert.equal(1, compared)
  end)

  it("call no handler that still waits, and leave out what was missed", function()
    local room, ticks = server:room("a", {}, { tickRate = 10 }), 0
    room:on("tick", function()
      ticks = ticks + 1
      if ticks == 1 then
        painda.sleep(95)
      end
    end)
    clock:advance(100)
    assert.equal(1, ticks)
    clock:advance(50)
    assert.is_true(ticks >= 5 and ticks <= 6)
  end)

  it("are not all in the same millisecond", function()
    local at = {}
    local begun = clock:now()
    for i = 1, 160 do
      local room = server:room("room" .. i, {})
      room:on("tick", function()
        local ms = clock:now() - begun
        at[ms] = (at[ms] or 0) + 1
        room:off "tick"
      end)
    end
    clock:advance(20)
    local total = 0
    for ms, n in pairs(at) do
      total = total + n
      assert.is_true(n <= 21, ("%d rooms in millisecond %d"):format(n, ms))
    end
    assert.equal(160, total)
  end)

  it("go on where a handler raises, which is told", function()
    local room, ticks = server:room("a", { n = 0 }), 0
    local errors = support.record(server, "error")
    local ann = member(room)
    room:on("tick", function(state)
      ticks = ticks + 1
      state.n = ticks
      if ticks == 2 then
        error "on purpose"
      end
    end)
    quietly(function()
      clock:advance(160)
    end)
    assert.equal(10, ticks)
    assert.equal(10, #ann.deltas)
    assert.equal(1, #errors)
    assert.matches("on purpose", errors[1][1].message)
  end)

  it("end where a handler disposes the room", function()
    local room, ticks = server:room "a", 0
    room:on("tick", function()
      ticks = ticks + 1
      room:dispose()
    end)
    clock:advance(100)
    assert.equal(1, ticks)
  end)

  it("are none for a room that nobody touches", function()
    local room = server:room("a", { n = 0 })
    member(room)
    room:update()
    clock:advance(100)
    assert.is_false(room._armed)
    room:update(function(state)
      state.n = 1
    end)
    assert.is_true(room._armed)
    clock:advance(16)
    assert.is_false(room._armed)
  end)
end)

describe("a member that is behind", function()
  before_each(function()
    start { compression = "none" }
  end)

  it("is sent no deltas, and once it is not the state as it is then", function()
    local room = server:room("a", { n = 0 }, { slowAbove = 1000 })
    local ann, bob = member(room), member(room)
    room:on("tick", function(state)
      state.n = state.n + 1
      if state.n == 2 then
        ann.socket:emit("large", ("x"):rep(5000)) -- waits with all that is sent in this turn
      end
    end)
    clock:advance(48)
    room:off "tick"
    clock:advance(48)
    assert.equal(3, #bob.deltas)
    assert.equal(1, ann.deltas[1][1].delta.n)
    assert.is_true(#ann.states == 2 and #ann.deltas < 3)
    local told = #ann.deltas > 1 and last(ann.deltas).delta.n or last(ann.states).state.n
    assert.equal(3, told)
    local stats = server:getStats()
    assert.equal(1, stats.roomMembersFellBehind)
    assert.equal(1, stats.roomCatchUps)
  end)

  describe("is told by one delta", function()
    local pad = ("y"):rep(300)

    -- A room whose members fall behind when `stall` says so.
    local function room_of(options)
      options.slowAbove = 1000
      return server:room("a", { n = 0, pad = pad, list = { 1, 2 } }, options)
    end

    local function step(room, stalled)
      room:update(function(state)
        state.n = state.n + 1
        state.list = { 1, 2, state.n }
      end)
      for _, who in ipairs(stalled or {}) do -- waits with what is sent in this turn
        who.socket:emit("large", ("x"):rep(5000))
      end
      timing.disarm(room)
      timing.tick(room)
    end

    local function settle()
      clock:advance(100)
    end

    it("from what it was told last to what the others know, which is made once for all like it", function()
      local room = room_of {}
      local ann, bob, cid = member(room), member(room), member(room)
      step(room)
      settle()
      painda.spawn(function()
        step(room, { ann, bob })
        step(room)
        step(room)
      end)
      settle()
      assert.equal(4, #cid.deltas)
      for _, who in ipairs { ann, bob } do
        assert.equal(1, #who.states)
        assert.equal(2, #who.deltas)
        local told = last(who.deltas)
        assert.same({ 1, 4, 4 }, { told.from, told.version, told.delta.n })
        assert.is_nil(told.delta.pad)
        assert.same({ n = 4, pad = pad, list = { 1, 2, 4 } }, told.state)
        assert.equal(0, who.client.resyncs)
      end
      local stats, own = server:getStats(), room:getStats()
      assert.same({ 2, 2, 0 }, { stats.roomMembersFellBehind, stats.roomCatchUpDeltas, stats.roomCatchUps })
      assert.same({ 2, 2, 0, 4 }, { own.fellBehind, own.catchUpDeltas, own.catchUps, own.deltas })
      assert.is_nil(next(room._kept))
      step(room)
      settle()
      assert.equal(5, last(ann.deltas).delta.n)
      assert.is_nil(last(ann.deltas).from)
    end)

    it("or by the whole, where that is shorter or too many states were to be kept", function()
      local room = room_of { maxKeptStates = 1 }
      local ann, bob = member(room), member(room)
      painda.spawn(function()
        step(room, { ann })
        step(room, { bob })
        step(room)
      end)
      settle()
      assert.same({ 2, 0 }, { #ann.states, #ann.deltas })
      assert.same({ 1, 2 }, { #bob.states, #bob.deltas })
      assert.same(last(ann.states).state, last(bob.deltas).state)
      assert.equal(1, room:getStats().catchUps)
      assert.equal(1, room:getStats().catchUpDeltas)
    end)

    it("that the application's own function finds", function()
      local room = room_of {
        diffAlgorithm = function(old, new)
          return { n = new.n, was = old.n }
        end,
      }
      local ann = member(room)
      painda.spawn(function()
        step(room, { ann })
        step(room)
      end)
      settle()
      assert.same({ n = 2, was = 0 }, last(ann.deltas).delta)
    end)

    it("unless it has gone, or asks for the whole meanwhile", function()
      local core = require "painda.core.client"
      local room = room_of {}
      local ann, bob = member(room), member(room)
      painda.spawn(function()
        step(room, { ann, bob })
        core.send(ann.client._link.connection, "__pp_room_resync", { room = "a" })
        room:leave(bob.socket)
        step(room)
      end)
      settle()
      assert.same({ 2, 0 }, { #ann.states, #ann.deltas })
      assert.equal(0, #bob.deltas)
      assert.is_nil(next(room._kept))
      assert.is_false(room._lagging)
    end)
  end)

  it("is noticed by its client, which asks for the state where a version is missing or a delta no delta", function()
    local core = require "painda.core.server"
    local room = server:room("a", { n = 0 }, { resyncInterval = 0 })
    local ann = member(room)
    local function send(version, delta)
      core.send_control(ann.socket._ref, "__pp_room_delta", { room = "a", delta = delta, version = version })
    end
    for i, bad in ipairs { { 2, { n = 5 } }, { 1, { n = { __pp_array_ops = 5 } } } } do
      room:update(function(state)
        state.n = i
      end)
      send(bad[1] + room._version, bad[2])
      send(3 + room._version, { n = 7 })
      clock:advance(32)
      assert.equal(i, ann.client.resyncs)
      assert.equal(i, server:getStats().roomResyncs)
      assert.same({ n = i }, last(ann.states).state)
      assert.equal(1 + i, #ann.states)
    end
    assert.equal(0, #ann.deltas)
    send(1, { n = 9 }) -- an old one
    room:update(function(state)
      state.n = 8
    end)
    clock:advance(16)
    assert.same({ { n = 8 } }, rooms.deltas(ann))
    assert.equal(2, ann.client.resyncs)
  end)

  it("may ask for the state, as often as the interval allows", function()
    local room = server:room("a", { n = 0 }, { resyncInterval = 1000 })
    local ann, eve = member(room), connect()
    local core = require "painda.core.client"
    local function ask(who, payload)
      core.send(who.client._link.connection, "__pp_room_resync", payload)
    end
    ask(ann, { room = "a" })
    ask(ann, { room = "a" })
    clock:advance(16)
    assert.equal(2, #ann.states)
    ask(ann, { room = "a" })
    clock:advance(500)
    assert.equal(2, #ann.states)
    clock:advance(600)
    assert.equal(3, #ann.states)
    assert.equal(3, server:getStats().roomResyncs)
    local forbidden = server:getStats().forbidden
    for _, payload in ipairs { { room = "a" }, { room = "b" }, { room = 5 }, {}, 5 } do
      ask(eve, payload)
    end
    ask(ann, { room = "b" })
    clock:advance(2000)
    assert.equal(forbidden + 6, server:getStats().forbidden)
    assert.equal(0, #eve.states)
    assert.equal(3, #ann.states)
    assert.is_false(room._armed)
  end)

  it("can't change the state", function()
    local room = server:room("a", { n = 0 })
    local ann = member(room)
    local core = require "painda.core.client"
    core.send(ann.client._link.connection, "__pp_room_delta", { room = "a", delta = { n = 5 }, version = 1 })
    core.send(ann.client._link.connection, "__pp_room_state", { room = "a", state = { n = 5 }, version = 1 })
    clock:advance(100)
    assert.same({ n = 0 }, room:getState())
    assert.equal(2, server:getStats().forbidden)
  end)
end)

describe("a typed room through generations", function()
  local function generation(load)
    local ok, err = reload.run(load)
    assert(ok, err)
  end

  -- The server is one of generations too.
  local function app(body)
    generation(function()
      server = painda.PPServer { port = 0, host = "127.0.0.1" }
      body(server)
    end)
  end

  -- A client that belongs to no generation, as if of another process.
  local function outsider(id)
    local client = painda.PPVirtualClient(id):connect(server)
    reload.forget(client)
    clock:advance(0)
    return client
  end

  after_each(function()
    generation(function() end)
  end)

  it("keeps members and state; handlers and options are the new code's", function()
    local told = {}
    local function version(name, options)
      app(function(of)
        local room = of:room("a", { n = 0 }, options)
        for _, event in ipairs { "join", "leave" } do
          room:on(event, function()
            told[#told + 1] = name .. event
          end)
        end
      end)
      return server:getRoom "a"
    end
    local room = version("one ", { maxClients = 1 })
    local client = outsider "ann"
    local socket, states = server:getClient "ann", support.record(client, "roomState")
    assert.is_true(room:join(socket))
    room:getState().n = 5
    assert.equal(room, version("two ", { maxClients = 2, metadata = { v = 2 } }))
    assert.equal(5, room:getState().n)
    assert.same({ socket }, room:getClients())
    assert.same({ v = 2 }, room.metadata)
    outsider "bob"
    assert.is_true(room:join(server:getClient "bob"))
    room:leave(socket)
    clock:advance(0)
    assert.same({ "one join", "two join", "two leave" }, told)
    assert.equal(1, #states)
  end)

  it("stays without handlers where the new code does not ask for it, and is guarded as before", function()
    local ticks = 0
    app(function(of)
      of
        :room("a", { n = 0 }, {
          auth = function()
            return false, "guarded"
          end,
        })
        :on("tick", function()
          ticks = ticks + 1
        end)
    end)
    local room = server:getRoom "a"
    clock:advance(16)
    assert.equal(1, ticks)
    app(function() end)
    clock:advance(100)
    assert.equal(1, ticks)
    assert.equal(room, server:getRoom "a")
    outsider "ann"
    assert.same({ false, "guarded" }, { room:join(server:getClient "ann") })
    server:room("a", {}, {}) -- the new code asks for it now
    assert.is_true(room:join(server:getClient "ann"))
    room:on("tick", function()
      ticks = ticks + 1
    end)
    clock:advance(16)
    assert.equal(2, ticks)
  end)

  it("is not there where its generation fails", function()
    app(function(of)
      of:room("a", { n = 0 }):on("tick", function(state)
        state.n = state.n + 1
      end)
    end)
    local state = server:getRoom("a"):getState()
    local shared = {}
    quietly(function()
      reload.run(function()
        local of = painda.PPServer { port = 0, host = "127.0.0.1" }
        of:room("a", {}):on("tick", error)
        of:room("b", shared)
        assert(of:getRoom "b")
        error "on purpose"
      end)
    end)
    assert.same({ "a" }, server:getRoomIds())
    clock:advance(160)
    assert.equal(10, state.n)
    assert.equal(shared, server:room("c", shared):getState())
  end)
end)
