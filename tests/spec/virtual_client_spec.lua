local painda = require "painda"
local runtime = require "painda.core.runtime"
local support = require "support"
local testing = require "painda.testing"

local waitForMessage, waitFor = testing.waitForMessage, testing.waitFor

local env, server

-- A connected client, and what the server has of it.
local function connect(id, options)
  local client = painda.PPVirtualClient(id, options):connect(server)
  env.clock:advance(0)
  return client, server:getClient(client.id)
end

before_each(function()
  env = testing.createTestEnv { recovery = true, maxConnectionsPerIp = 1 }
  server = env.server
end)

describe("a virtual client", function()
  it("is a client of the server under its own id, from 127.0.0.1", function()
    local seen = support.record(server, "connection")
    local client = painda.PPVirtualClient "bot-1"
    assert.equal("closed", client.state)
    assert.equal(client, client:connect(server))
    assert.equal("connecting", client.state)
    assert.equal(0, #seen) -- never from within the call
    env.clock:advance(0)
    assert.is_true(client:isConnected())
    local socket = seen[1][1]
    assert.equal("bot-1", socket.id)
    assert.equal(socket, server:getClient "bot-1")
    assert.equal("127.0.0.1", socket.handshake.address)
    assert.same({ path = "/", port = 0, secure = false }, {
      path = socket.handshake.path,
      port = socket.handshake.port,
      secure = socket.handshake.secure,
    })
    assert.equal(1, server:getStats().clients)
  end)

  it("gets an id where it brings none", function()
    local one, other = painda.PPVirtualClient(), painda.PPVirtualClient()
    assert.matches("^virtual%-%d+$", one.id)
    assert.is_not.equal(one.id, other.id)
  end)

  it("is injected by a server", function()
    local client = painda.PPVirtualClient "bot"
    assert.equal(client, server:inject(client))
    env.clock:advance(0)
    assert.is_not_nil(server:getClient "bot")
    assert.equal("server:inject takes a PPVirtualClient, not a table", support.message(server.inject, server, {}))
  end)

  it("tells of its life in order", function()
    local client, told = painda.PPVirtualClient "bot", {}
    for _, name in ipairs { "open", "connect", "disconnect", "close" } do
      client:on(name, function(...)
        told[#told + 1] = { name, ... }
      end)
    end
    client:connect(server)
    env.clock:advance(0)
    server:getClient("bot"):close(4005, "enough")
    assert.equal(2, #told)
    env.clock:advance(0)
    assert.same({
      { "open" },
      { "connect" },
      { "disconnect", "forced server disconnect", 4005, "enough" },
      { "close", 4005, "enough" },
    }, told)
    assert.equal("closed", client.state)
    assert.is_false(client:isConnected())
  end)

  it("can say goodbye, behind what it sent, and come again", function()
    local client, socket = connect "bot"
    local heard, gone = support.record(socket, "x"), support.record(socket, "disconnect")
    client:emit("x", 1)
    client:emit("x", 2)
    client:close(4001, "for now")
    assert.same({ nil, "closed" }, { client:emit("x", 3) })
    env.clock:advance(0)
    assert.equal(2, #heard)
    assert.same({ { "client disconnect", 4001 } }, gone)
    assert.is_nil(server:getClient "bot")
    client:connect(server)
    env.clock:advance(0)
    assert.is_true(client:isConnected())
  end)

  it("may come with a token, a query and headers", function()
    local _, socket = connect("bot", {
      token = "secret",
      path = "/game",
      query = { room = "a b&c" },
      headers = { ["X-Team"] = 5 },
    })
    assert.equal("secret", socket.handshake.token)
    assert.equal("/game", socket.handshake.path)
    assert.equal("a b&c", socket.handshake.query.room)
    assert.equal("5", socket.handshake.headers["x-team"])
  end)

  it("counts under no address and is not recovered", function()
    for i = 1, 5 do
      connect("bot" .. i)
    end
    local real = support.connect(server) -- maxConnectionsPerIp is 1
    server:getClient("bot1"):close(4005)
    env.clock:advance(0)
    assert.equal(5, server:getStats().clients)
    real:close()
  end)
end)

describe("a virtual client's messages", function()
  it("go both ways, in order, never from within the call that sends", function()
    local client, socket = connect "bot"
    local there, back = support.record(socket, "x"), support.record(client, "y")
    for i = 1, 100 do
      client:emit("x", { n = i })
      socket:emit("y", { n = i })
    end
    assert.equal(0, #there + #back)
    env.clock:advance(0)
    for i = 1, 100 do
      assert.equal(i, there[i][1].n)
      assert.equal(i, back[i][1].n)
    end
  end)

  it("are heard by every kind of listener", function()
    local client, socket = connect "bot"
    local any, whole = {}, support.record(client, "message")
    client:onAny(function(...)
      any[#any + 1] = { ... }
    end)
    local once = {}
    client:once("hello", function(payload)
      once[#once + 1] = payload
    end)
    local function off()
      error "is not called"
    end
    client:on("hello", off)
    client:off("hello", off)
    socket:emit("hello", 1)
    socket:emit("hello", 2)
    env.clock:advance(0)
    assert.same({ 1 }, once)
    assert.same({ "hello", 2 }, { any[2][1], any[2][2] })
    assert.same({ type = "hello", payload = 2 }, { type = whole[2][1].type, payload = whole[2][1].payload })
  end)

  it("are answered in both directions", function()
    server:on("double", function(_, n, answer)
      answer(nil, 2 * n)
    end)
    local client, socket = connect "bot"
    client:on("half", function(n, answer)
      answer(nil, n / 2)
    end)
    assert.equal(8, client:request("double", 4))
    assert.equal(2, socket:request("half", 4))
    local failed
    client:emit("nobody", nil, function(err)
      failed = err
    end)
    env.clock:advance(10000)
    assert.equal("TIMEOUT_ERROR", failed.code)
  end)

  it("fail their acks where the connection ends", function()
    local client = connect "bot"
    local failed
    client:emit("nobody", nil, function(err)
      failed = err
    end)
    client:close()
    waitFor(function()
      return failed
    end)
    assert.equal("CONNECTION_ERROR", failed.code)
  end)

  it("travel by the server's schemas, and compressed ones are read", function()
    env:close()
    local registry = painda.PPSchemaRegistry()
    local fields = { { name = "x", type = "float32" }, { name = "y", type = "float32" } }
    registry:register("pos", painda.structSerializer(7, fields))
    env = testing.createTestEnv { registry = registry }
    server = env.server
    local client, socket = connect "bot"
    local there = support.record(socket, "pos")
    client:emit("pos", { x = 0.5, y = 2 })
    socket:emit("pos", { x = 1.5, y = 3 })
    socket:emit("long", ("long "):rep(2000))
    assert.same({ x = 1.5, y = 3 }, waitForMessage(client, "pos").payload)
    assert.equal(10000, #waitForMessage(client, "long").payload)
    assert.same({ x = 0.5, y = 2 }, there[1][1])
  end)

  it("do not keep the loop to themselves when two talk without end", function()
    env:close()
    env = testing.createTestEnv { clock = false }
    server = env.server
    server:on("ping", function(client, n)
      client:emit("pong", n)
    end)
    local client = painda.PPVirtualClient("bot"):connect(server)
    local last = 0
    client:on("pong", function(n)
      last = n
      client:emit("ping", n + 1)
    end)
    client:emit("ping", 1)
    painda.sleep(20)
    assert.is_true(last > 10)
  end)

  it("are limited as anybody's", function()
    env:close()
    env = testing.createTestEnv { maxMessagesPerSecond = 3, maxPayload = 1024 }
    server = env.server
    local client, socket = connect "bot"
    local there, errors = support.record(socket, "x"), support.record(client, "serverError")
    for i = 1, 5 do
      client:emit("x", i)
    end
    env.clock:advance(0)
    assert.equal(3, #there)
    assert.equal("RATE_LIMIT_ERROR", errors[1][1].code)
    env.clock:advance(1000)
    local ends = support.record(client, "disconnect")
    client:emit("x", ("x"):rep(2000))
    env.clock:advance(0)
    assert.equal(1009, ends[1][2])
  end)

  it("are bounded where nobody takes them", function()
    env:close()
    env = testing.createTestEnv { maxBackpressure = 4096 }
    server = env.server
    local client, socket = connect "bot"
    local ends = support.record(client, "disconnect")
    for _ = 1, 100 do
      socket:emit("x", ("x"):rep(500))
    end
    assert.is_true(socket:bufferedAmount() <= 4096)
    env.clock:advance(0)
    assert.same({ { "too slow", 4008, "too slow" } }, ends)
  end)

  it("are raised where they can't be sent", function()
    local client = connect "bot"
    local text = support.raised(function()
      client:emit("x", print)
    end)
    assert.matches("function", text)
    assert.matches("belong to the protocol", support.raised(client.emit, client, "__pp_x"))
  end)
end)

describe("virtual clients", function()
  it("share rooms and broadcasts with everybody", function()
    server:on("connection", function(client)
      client:join "lobby"
    end)
    local bots = testing.createTestClients(env, 3)
    local real = testing.createTestClients(env, 1, { real = true })[1]
    server:to("lobby"):emit("state", { n = 1 })
    for _, client in ipairs { bots[1], bots[2], bots[3], real } do
      assert.same({ n = 1 }, waitForMessage(client, "state").payload)
    end
    assert.equal(4, #server:to("lobby"):fetchSockets())
  end)

  it("do not fall with one whose handler raises", function()
    runtime.set_log_level "silent"
    local one = connect "one"
    local other = connect "other"
    local errors = support.record(one, "error")
    one:on("x", function()
      error "on purpose"
    end)
    server:emit("x", 1)
    assert.equal(1, waitForMessage(other, "x").payload)
    runtime.set_log_level "warn"
    assert.matches("on purpose", errors[1][1].message)
    assert.is_true(one:isConnected() and other:isConnected())
  end)

  it("hear of a server that closes", function()
    local client = connect "bot"
    local ends = support.record(client, "disconnect")
    server:close()
    env.clock:advance(0)
    assert.same({ { "server shutdown", 1001, "server shutting down" } }, ends)
    local errors = support.record(client, "error")
    client:connect(server)
    env.clock:advance(0)
    assert.equal("virtual:bot: the server is closed", errors[1][1].message)
    assert.equal("CONNECTION_ERROR", errors[1][1].code)
  end)

  it("can't share an id", function()
    connect "bot"
    local twin = painda.PPVirtualClient "bot"
    local errors = support.record(twin, "error")
    twin:connect(server)
    env.clock:advance(0)
    assert.equal("virtual:bot: the id bot is taken", errors[1][1].message)
    assert.equal("closed", twin.state)
    assert.equal(1, server:getStats().clients)
  end)

  it("refuse what can't be", function()
    for _, id in ipairs { "", ("x"):rep(37), "a\nb", 5, {} } do
      local said = support.message(painda.PPVirtualClient, id)
      assert.matches("^PPVirtualClient takes an id, a string of 1 to 36 bytes", said)
    end
    local text = support.message(painda.PPVirtualClient, "a", { tokn = "x" })
    assert.matches('PPVirtualClient has no option "tokn"', text, 1, true)
    local client = painda.PPVirtualClient "a"
    assert.matches("takes a PPServer of this process", support.message(client.connect, client, "ws://x"))
    client:connect(server)
    env.clock:advance(0)
    assert.matches("a is connected already", support.message(client.connect, client, server))
    assert.matches("takes a code of 1000", support.message(client.close, client, 5))
  end)

  it("leave nothing behind", function()
    local function round()
      for i = 1, 200 do
        painda.PPVirtualClient("bot" .. i):connect(server)
      end
      env.clock:advance(0)
      server:emit("x", 1)
      for _, socket in ipairs(server:getClients()) do
        socket:close()
      end
      env.clock:advance(0)
      return runtime.collect()
    end
    round()
    local before = round()
    for _ = 1, 5 do
      round()
    end
    assert.is_true(round() - before < 50, "memory grew")
  end)
end)
