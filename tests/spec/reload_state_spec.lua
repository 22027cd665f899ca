-- What stays through a reload: everything that happened.

local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local support = require "support"
local task = require "painda.task"

local HOST = "127.0.0.1"

describe("through a reload, a good one or a broken one,", function()
  local server, client, socket

  local function app(name)
    return function()
      server = painda.PPServer { port = 0, host = HOST, recovery = true, presence = { syncInterval = 20 } }
      server:room("arena", { n = 0 })
      server:of "/game"
      server:on("who", function(_, _, answer)
        answer(nil, name)
      end)
    end
  end

  local function load(name)
    local ok, err = reload.run(app(name))
    assert(ok, err)
  end

  -- Twice replaced, and once not.
  local function reloads()
    load "second"
    log.set_level "silent"
    assert.is_nil((reload.run(function()
      app "broken"()
      error "on purpose"
    end)))
    log.set_level "warn"
    load "third"
    assert.equal("third", client:request "who")
  end

  before_each(function()
    load "first"
    client, socket = support.connect(server)
    reload.forget(client) -- it stands for another process
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  it("a client keeps its data, tags and rooms", function()
    local data = socket.data
    data.list = { 1, 2 }
    socket:setTag("team", "red")
    socket:join "lobby"
    reloads()
    assert.equal(socket, server:getClient(socket.id))
    assert.equal(data, socket.data)
    assert.same({ { 1, 2 }, "red", { "lobby" } }, { data.list, socket:getTag "team", socket.rooms })
    local news = support.record(client, "news")
    server:to("lobby"):emit("news", 1)
    support.eventually(function()
      return #news == 1
    end)
  end)

  it("a typed room keeps members, state and version, and tells what changes", function()
    local room = server:getRoom "arena"
    local told = support.record(client, "roomDelta")
    room:join(socket)
    room:getState().n = 1
    room:update()
    support.eventually(function()
      return #told == 1
    end)
    local state = room:getState()
    reloads()
    assert.equal(room, server:getRoom "arena")
    assert.equal(state, room:getState())
    assert.is_true(room:has(socket))
    room:update(function(s)
      s.n = 2
    end)
    support.eventually(function()
      return #told == 2
    end)
    assert.equal(told[1][1].version + 1, told[2][1].version)
  end)

  it("who is present stays so", function()
    server.presence:track(socket, { name = "Ann" })
    reloads()
    assert.equal(1, server.presence:count())
    assert.equal("Ann", server.presence:get(socket.id).data.name)
  end)

  it("a member of a namespace stays in it", function()
    client:of("/game"):emit "hello"
    support.eventually(function()
      return #server:of("/game"):getClients() == 1
    end)
    local inside = server:of("/game"):getClients()[1]
    reloads()
    assert.equal(inside, server:of("/game"):getClients()[1])
    assert.is_true(inside.reloaded)
  end)

  it("a question that was asked is answered", function()
    local go, answered = task.waiter(), task.waiter()
    client:on("question", function(_, answer)
      go:wait()
      answer(nil, 42)
    end)
    socket:emit("question", nil, function(err, response)
      answered:wake(response or err)
    end)
    painda.sleep(10)
    reloads()
    go:wake()
    assert.equal(42, (answered:wait(5000)))
  end)

  it("counters go on", function()
    client:request "who"
    local before = server:getStats()
    reloads()
    local after = server:getStats()
    assert.equal(before.connections, after.connections)
    assert.is_true(after.messagesReceived > before.messagesReceived)
    assert.equal(before.generation + 2, after.generation)
  end)
end)
