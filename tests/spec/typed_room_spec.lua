local support = require "support"
local testing = require "painda.testing"


describe("a typed room", function()
  local env, server, clock

  -- A connected virtual client: { client, socket, states, deltas }.
  local function connect(options)
    local client = env:connect(options)
    local socket = server:getClient(client.id)
    return {
      client = client,
      socket = socket,
      states = support.record(client, "roomState"),
      deltas = support.record(client, "roomDelta"),
    }
  end

  local function start(options)
    env = testing.createTestEnv(options)
    server, clock = env.server, env.clock
  end

  before_each(function()
    start()
  end)

  it("sends the state to who joins, and one delta a tick to all", function()
    local room = server:room("lobby", { phase = "waiting", score = {} })
    local ann, bob = connect(), connect()
    assert.is_true(room:join(ann.socket))
    assert.is_true(room:join(bob.socket))
    clock:advance(0)
    local whole = { room = "lobby", state = { phase = "waiting", score = {} }, full = true, version = 0 }
    assert.same(whole, ann.states[1][1])
    room:update(function(state)
      state.phase = "playing"
    end)
    room:update(function(state)
      state.score.ann = 10
    end)
    clock:advance(16)
    for _, who in ipairs { ann, bob } do
      assert.equal(1, #who.deltas)
      assert.same({ phase = "playing", score = { ann = 10 } }, who.deltas[1][1].delta)
      assert.equal(1, who.deltas[1][1].version)
    end
    clock:advance(1000)
    assert.equal(1, #ann.deltas)
    assert.equal(1, #ann.states)
    assert.equal(1, server:getStats().roomDeltas)
  end)

  it("is the same wherever it is asked for", function()
    local room = server:room("a", { n = 1 })
    assert.equal(room, server:room("a", { n = 2 }))
    assert.equal(room, server:getRoom "a")
    assert.equal(1, room:getState().n)
    server:room("b")
    assert.same({ "a", "b" }, server:getRoomIds())
    assert.is_true(server:deleteRoom "a")
    assert.is_false(server:deleteRoom "a")
    assert.is_nil(server:getRoom "a")
    assert.is_true(room.disposed)
    assert.not_equal(room, server:room "a")
  end)
end)
