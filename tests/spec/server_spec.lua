local painda = require "painda"
local runtime = require "painda.core.runtime"
local task = require "painda.task"
local support = require "support"

local function ignore() end

describe("an option of a server", function()
  -- name, values that are refused, values that are taken
  local function fn() end
  local registry = painda.PPSchemaRegistry()
  local cases = {
    { "port", { -1, 65536, 1.5, "3000", true, 0 / 0 }, { 0 } },
    { "host", { 1, true, {} }, { "127.0.0.1" } },
    { "tls", { true, "cert.pem", 1 }, {} },
    { "mode", { "Chat", "", 0, true }, { "chat", "media", "gaming", "voice" } },
    { "registry", { {}, "x", 1 }, { registry } },
    { "heartbeat", { 1, "on", fn }, { true, false, {}, { interval = 1000, timeout = 500, onTimeout = fn } } },
    { "heartbeatInterval", { 0, -1, "1", {}, 86400001 }, { 1, 86400000 } },
    { "compression", { 1, true, fn }, { "deflate", "none", {}, { algorithm = "none", threshold = 0, level = 9 } } },
    { "rateLimit", { 1, true, "10" }, { {}, { maxPerMinute = 2, strategy = "sliding-window", onLimit = fn } } },
    { "maxMessagesPerSecond", { 0, -1, "1", 1000001 }, { 1, 1000000 } },
    { "maxPayload", { 0, -1, "1", 2 ^ 31, 1.5 }, { 1, 1024 * 1024 * 1024 } },
    { "maxDecompressedSize", { 0, -1, "1", 2 ^ 31 }, { 1 } },
    { "allowedOrigins", { "https://a.example", true, 1 }, { {}, { "https://a.example", "*.b.example" } } },
    { "maxConnectionsPerIp", { -1, "1", 0.5 }, { 0, 1 } },
    { "trustedProxies", { "10.0.0.1", true, 1 }, { {}, { "10.0.0.0/8", "::1", "unix" } } },
    { "maxBackpressure", { 0, 1023, "1" }, { 1024 } },
    { "onBackpressure", { "wait", true, 1 }, { "close", "drop" } },
    { "volatileAbove", { -1, "1" }, { 0 } },
    { "handshakeTimeout", { 0, -1, "1" }, { 1 } },
    { "handlerTimeout", { -1, "1", {} }, { 1000 } },
    { "ackTimeout", { 0, -1, "1", {} }, { 1 } },
    { "maxPendingAcks", { 0, -1, "1" }, { 1 } },
    { "maxListeners", { 0, -1, "1" }, { 1 } },
    { "maxRoomsPerClient", { 0, -1, "1" }, { 1 } },
    { "maxRoomName", { 0, -1, "1", 65536 }, { 1 } },
    { "maxTags", { 0, -1, "1" }, { 1 } },
    { "middlewareTimeout", { 0, -1, "1" }, { 1 } },
    { "maxPendingMessages", { 0, -1, "1" }, { 1 } },
    { "maxPendingBytes", { -1, "1", 0.5 }, { 0 } },
    { "logger", { 1, true, fn }, { "warn", { level = "warn" } } },
  }

  for _, case in ipairs(cases) do
    local name, refused, taken = case[1], case[2], case[3]
    it(("%s is refused by name where it is of the wrong kind"):format(name), function()
      for _, value in ipairs(refused) do
        local text = support.raised(function()
          painda.PPServer { port = 0, [name] = value }
        end)
        assert.matches("server_spec.lua:%d+: ", text)
        assert.matches(('PPServer option "%s" '):format(name), text, 1, true)
      end
    end)
    if #taken > 0 then
      it(("%s is taken where it is right"):format(name), function()
        for _, value in ipairs(taken) do
          painda.PPServer({ port = 0, host = "127.0.0.1", [name] = value }):close()
        end
      end)
    end
  end

  it("is one of those that there are", function()
    local function message(options)
      return support.message(painda.PPServer, options)
    end
    for given, near in pairs {
      prt = "port", Port = "port", maxpayload = "maxPayload", heartBeat = "heartbeat", ratelimit = "rateLimit",
      allowedOrigin = "allowedOrigins", maxConnectionsPerIP = "maxConnectionsPerIp", trustedProxy = "trustedProxies",
    } do
      assert.equal(('PPServer has no option "%s", did you mean "%s"?'):format(given, near), message { [given] = 1 })
    end
    assert.equal('PPServer has no option "colour"', message { colour = 1 })
    assert.equal("PPServer takes a table of options, not 3000 (a number)", message(3000))
    assert.equal("PPServer takes a table of options, not nil", message())
  end)

  it("may have parts, which are named too", function()
    local cases_of_parts = {
      { { heartbeat = { intervall = 1 } }, 'PPServer heartbeat has no option "intervall", did you mean "interval"?' },
      { { heartbeat = { timeout = "1" } }, 'PPServer heartbeat option "timeout" must be an integer, not "1"' },
      { { heartbeat = { onTimeout = 1 } },
        'PPServer heartbeat option "onTimeout" must be a function, not 1 (a number)' },
      { { compression = "gzip" },
        'PPServer compression option "algorithm" must be one of "deflate", "none", not "gzip"' },
      { { compression = { level = 10 } },
        'PPServer compression option "level" must be from 1 to 9, not 10 (a number)' },
      { { rateLimit = { maxPerSecond = 0 } },
        'PPServer rateLimit option "maxPerSecond" must be from 1 to 1000000, not 0 (a number)' },
      { { rateLimit = { strategy = "leaky" } },
        'PPServer rateLimit option "strategy" must be one of "fixed-window", "sliding-window", not "leaky"' },
      { { tls = {} }, 'PPServer tls needs the option "' },
      { { tls = { cert = 1, key = "x" } }, 'PPServer tls option "cert" must be a string, not 1 (a number)' },
      { { logger = "loud" },
        'PPServer logger option "level" must be one of "debug", "info", "warn", "error", "silent"' },
      { { allowedOrigins = { 1 } }, 'PPServer option "allowedOrigins" is a list of strings, and item 1 is a number' },
      { { trustedProxies = { "::1", "10.0.0.0/33" } },
        'PPServer option "trustedProxies" takes addresses and ranges such as 10.0.0.0/8, not "10.0.0.0/33"' },
    }
    for _, case in ipairs(cases_of_parts) do
      case[1].port = 0
      local text = support.raised(function()
        painda.PPServer(case[1])
      end)
      assert.matches("server_spec.lua:%d+: ", text)
      assert.matches(case[2], text, 1, true)
    end
  end)

  it("must be a port, or a Unix socket", function()
    assert.matches('PPServer needs the option "port"', support.message(painda.PPServer, {}), 1, true)
    local path = os.tmpname()
    os.remove(path)
    local server = painda.PPServer { host = "unix:" .. path }
    local client = painda.PPClient { url = "ws+unix:" .. path, reconnect = false }
    support.event(client, "connect")
    client:close()
    server:close()
    os.remove(path)
  end)
end)

describe("listening", function()
  it("on a port that is taken is an error that says so", function()
    local server = support.server()
    local ok, err = pcall(painda.PPServer, { port = server.port, host = "127.0.0.1" })
    assert.is_false(ok)
    local expected = ("cannot listen on port %d of 127.0.0.1: Address already in use"):format(server.port)
    assert.matches(expected, tostring(err), 1, true)
    assert.equal("TRANSPORT_ERROR", err.code)
    ok, err = pcall(function()
      return (painda.PPServer { port = server.port, host = "127.0.0.1" })
    end)
    assert.is_false(ok)
    assert.matches("^tests/spec/server_spec.lua:%d+: cannot listen", require("painda.error").report(err))
    server:close()
  end)

  it("on a host that is not here is an error that says so", function()
    local ok, err = pcall(painda.PPServer, { port = 0, host = "192.0.2.1" })
    assert.is_false(ok)
    assert.matches("cannot listen on port 0 of 192.0.2.1", tostring(err), 1, true)
    ok, err = pcall(painda.PPServer, { port = 0, host = "no.such.host.invalid" })
    assert.is_false(ok)
    assert.matches("no.such.host.invalid", tostring(err), 1, true)
  end)

  it("without the files of TLS is an error that names them", function()
    local ok, err = pcall(painda.PPServer, { port = 0, tls = { cert = "/no/cert.pem", key = "/no/key.pem" } })
    assert.is_false(ok)
    assert.matches("/no/cert.pem", tostring(err), 1, true)
  end)

  it("ends with close, and the port is free again", function()
    local server = support.server()
    local port = server.port
    server:close()
    support.eventually(function()
      return server.closed
    end)
    local again = painda.PPServer { port = port, host = "127.0.0.1" }
    assert.not_equal(server, again)
    assert.equal(port, again.port)
    again:close()
  end)
end)

describe("a server", function()
  local server

  before_each(function()
    server = support.server()
  end)
  after_each(function()
    server:close()
  end)

  it("tells of connections and their end", function()
    local gone = support.record(server, "disconnection")
    local client, socket = support.connect(server)
    assert.same({ socket }, server:getClients())
    client:close()
    support.eventually(function()
      return #gone == 1
    end)
    assert.equal(socket, gone[1][1])
    assert.equal("client disconnect", gone[1][2])
    assert.same({}, server:getClients())
  end)

  it("hears every message of every client", function()
    local any = support.record(server, "x")
    local everything = {}
    local function listener(from, mtype, payload)
      everything[#everything + 1] = { from, mtype, payload }
    end
    server:onAny(listener)
    local a, a_socket = support.connect(server)
    local b, b_socket = support.connect(server)
    a:emit("x", 1)
    support.eventually(function()
      return #everything == 1
    end)
    b:emit("y", 2)
    support.eventually(function()
      return #everything == 2
    end)
    assert.same({ { a_socket, "x", 1 }, { b_socket, "y", 2 } }, everything)
    assert.equal(1, #any)
    server:offAny(listener)
    a:emit "z"
    painda.sleep(20)
    assert.equal(2, #everything)
    a:close()
    b:close()
  end)

  it("stops hearing with off", function()
    local heard = 0
    local function listener()
      heard = heard + 1
    end
    server:on("x", listener):once("x", listener)
    local client = support.connect(server)
    client:emit "x"
    support.eventually(function()
      return heard == 2
    end)
    server:off("x", listener)
    client:emit "x"
    painda.sleep(20)
    assert.equal(2, heard)
    client:close()
  end)

  it("broadcasts to all, or to all but one", function()
    local a, a_socket = support.connect(server)
    local b = support.connect(server)
    local heard_a, heard_b = support.record(a, "x"), support.record(b, "x")
    assert.equal(2, server:emit("x", 1))
    assert.equal(2, server:broadcast { type = "x", payload = 2 })
    assert.equal(1, server:broadcast({ type = "x", payload = 3 }, a_socket))
    assert.equal(1, server:broadcast({ type = "x", payload = 4 }, a_socket.id))
    assert.equal(2, server:broadcastVolatile { type = "x", payload = 5 })
    assert.equal(2, server:broadcast({ type = "x", payload = 6 }, "nobody's id"))
    support.eventually(function()
      return #heard_a == 4 and #heard_b == 6
    end)
    local numbers = {}
    for i, arguments in ipairs(heard_a) do
      numbers[i] = arguments[1]
    end
    assert.same({ 1, 2, 5, 6 }, numbers)
    a:close()
    b:close()
  end)

  it("passes a message on as it came", function()
    local a = support.connect(server)
    local b = support.connect(server)
    server:on("connection", ignore)
    for _, socket in ipairs(server:getClients()) do
      socket:on("message", function(msg)
        server:broadcast(msg, socket)
      end)
    end
    local heard = support.record(b, "chat")
    a:emit("chat", { text = "hi", list = painda.array {} })
    support.eventually(function()
      return #heard == 1
    end)
    assert.equal("hi", heard[1][1].text)
    assert.equal("[]", painda.json.encode(heard[1][1].list))
    a:close()
    b:close()
  end)

  it("raises what can't be broadcast", function()
    for _, message in ipairs { "x", 1, true } do
      assert.matches("server:broadcast takes a message", support.raised(server.broadcast, server, message), 1, true)
    end
    local wrong = { {}, { type = "" }, { type = 5 }, { type = "__pp_error" }, { type = "x", payload = ignore } }
    for _, message in ipairs(wrong) do
      local ok, err = pcall(server.broadcast, server, message)
      assert.is_false(ok)
      assert.equal("ENCODE_ERROR", err.code)
    end
    assert.has_error(function()
      server:emit("x", ignore)
    end)
  end)

  it("finds a client by its id alone", function()
    local client, socket = support.connect(server)
    assert.equal(socket, server:getClient(socket.id))
    assert.is_nil(server:getClient "nobody")
    assert.is_nil(server:getClient "")
    assert.equal("server:getClient takes an id, a string, not a nil", support.message(server.getClient, server))
    client:close()
  end)

  it("counts", function()
    local client, socket = support.connect(server)
    server:on("ping", function(_, _, answer)
      answer(nil, "pong")
    end)
    assert.equal("pong", client:request "ping")
    local stats = server:getStats()
    assert.equal(1, stats.clients)
    assert.equal(1, stats.connections)
    assert.equal(1, stats.messagesReceived)
    assert.is_true(stats.messagesSent >= 1)
    assert.is_true(stats.uptime >= 0)
    assert.is_number(stats.generation)
    assert.is_number(stats.luaMemory)
    client:close()
    support.event(socket, "disconnect")
    stats = server:getStats()
    assert.equal(0, stats.clients)
    assert.equal(1, stats.connections)
    assert.is_true(stats.bytesReceived > 0 and stats.bytesSent > 0)
  end)

  it("refuses namespaces that it does not have", function()
    local client = support.connect(server)
    local errors = support.record(client, "serverError")
    client:of("/admin"):emit("x", 1)
    support.eventually(function()
      return #errors == 1
    end)
    assert.equal("NAMESPACE_ERROR", errors[1][1].code)
    client:close()
  end)

  it("drops control messages that a client may not send, and counts them", function()
    local client, socket = support.connect(server)
    local everything = {}
    server:onAny(function(_, mtype)
      everything[#everything + 1] = mtype
    end)
    local core = require "painda.core.client"
    core.send(client._link.connection, "__pp_room_state", { room = "x" })
    client:emit "end"
    support.eventually(function()
      return #everything == 1
    end)
    assert.same({ "end" }, everything)
    assert.equal(1, server:getStats().forbidden)
    assert.is_false(socket.closed == true)
    client:close()
  end)
end)

describe("the limits of a server", function()
  local server, client

  after_each(function()
    if client then
      client:close()
    end
    server:close()
  end)

  it("close a message that is too big with 1009", function()
    server = support.server { maxPayload = 1000 }
    client = support.connect(server, { compression = "none" })
    local closed = support.record(client, "close")
    client:emit("x", ("x"):rep(900))
    client:emit("x", ("x"):rep(2000))
    support.eventually(function()
      return #closed == 1
    end)
    assert.equal(1009, closed[1][1])
  end)

  it("answer too many messages once, and call onLimit", function()
    local limited = 0
    server = support.server {
      rateLimit = {
        maxPerMinute = 5,
        onLimit = function()
          limited = limited + 1
        end,
      },
    }
    local heard = support.record(server, "x")
    client = support.connect(server)
    local errors = support.record(client, "serverError")
    for n = 1, 20 do
      client:emit("x", n)
    end
    support.eventually(function()
      return server:getStats().rateLimited == 15
    end)
    assert.equal(5, #heard)
    support.eventually(function()
      return #errors == 1
    end)
    assert.equal("RATE_LIMIT_ERROR", errors[1][1].code)
    assert.equal(1, limited)
  end)

  it("refuse one connection too many from an address", function()
    server = support.server { maxConnectionsPerIp = 1 }
    client = support.connect(server)
    local other = painda.PPClient { url = support.url(server), reconnect = false }
    local code = support.event(other, "close")
    assert.equal(4029, code)
    assert.equal(1, #server:getClients())
    assert.equal(1, server:getStats().refused)
    other:close()
  end)

  it("leave volatile messages out for a client that is behind", function()
    server = support.server { volatileAbove = 0 }
    local socket
    client, socket = support.connect(server)
    local heard = support.record(client, "x")
    socket:emit("x", "queued")
    socket:send({ type = "x", payload = "volatile" }, { volatile = true })
    support.eventually(function()
      return #heard == 1
    end)
    painda.sleep(10)
    assert.equal(1, #heard)
    assert.equal("queued", heard[1][1])
  end)

  it("keep a client that answers pings", function()
    local timed_out
    server = support.server {
      heartbeat = {
        interval = 20,
        timeout = 2000,
        onTimeout = function(socket)
          timed_out = socket
        end,
      },
    }
    client = support.connect(server)
    painda.sleep(100) -- pongs come, so it stays
    assert.is_nil(timed_out)
    assert.is_true(client:isConnected())
  end)
end)

describe("the end of a server", function()
  it("closes its clients with 1001 and tells", function()
    local server = support.server()
    local client, socket = support.connect(server)
    local told = support.record(socket, "disconnect")
    local closed, ended = support.record(client, "close"), support.record(server, "close")
    server:close()
    server:close()
    support.eventually(function()
      return #closed == 1 and #ended == 1
    end)
    assert.equal(1001, closed[1][1])
    assert.same({ "server shutdown", 1001 }, told[1])
    assert.is_nil(require("painda.reload").objects["ws:127.0.0.1:" .. server.port])
  end)

  it("in order tells the clients first, and waits for handlers", function()
    local server = support.server()
    local client = support.connect(server)
    local finished = false
    local began, told = task.waiter(), nil
    server:on("slow", function(_, _, answer)
      began:wake(true)
      painda.sleep(50)
      finished = true
      answer(nil, "done")
    end)
    client:on("message", function(msg)
      told = told or msg.type
    end)
    local answered = task.waiter()
    client:emit("slow", nil, function(_, response)
      answered:wake(response)
    end)
    assert.is_true(began:wait(5000))
    assert.is_true(server:gracefulShutdown(2000))
    assert.is_true(finished)
    assert.equal("done", (answered:wait(5000)))
    assert.is_true(server.closed)
  end)

  it("does not wait longer than it may", function()
    local server = support.server()
    local client = support.connect(server)
    local began = task.waiter()
    server:on("stuck", function()
      began:wake(true)
      task.waiter():wait()
    end)
    client:emit "stuck"
    assert.is_true(began:wait(5000))
    server:gracefulShutdown(60)
    assert.is_true(server.closed)
    client:close()
  end)

  it("refuses a time that is none", function()
    local server = support.server()
    for _, ms in ipairs { -1, "5", 0 / 0, math.huge } do
      local text = support.message(server.gracefulShutdown, server, ms)
      assert.matches("server:gracefulShutdown takes the milliseconds", text, 1, true)
    end
    server:close()
  end)

  it("accepts nobody any more", function()
    local server = support.server()
    server:close()
    local client = painda.PPClient { url = support.url(server), reconnect = false }
    support.event(client, "error")
    client:close()
  end)
end)

describe("schemas between a server and a client", function()
  it("carry structs both ways, and refuse what does not fit", function()
    local registry = painda.PPSchemaRegistry()
    local fields = { { name = "x", type = "float32" }, { name = "y", type = "float32" } }
    registry:register("move", painda.structSerializer(fields))
    local server = support.server { registry = registry }
    local client, socket = support.connect(server, { registry = registry })
    local heard = support.record(server, "move")
    client:emit("move", { x = 1.5, y = -2 })
    support.eventually(function()
      return #heard == 1
    end)
    assert.same({ x = 1.5, y = -2 }, heard[1][2])
    local back = support.record(client, "move")
    socket:emit("move", { x = 0.25, y = 4 })
    server:emit("move", { x = 1, y = 2 })
    support.eventually(function()
      return #back == 2
    end)
    assert.same({ x = 0.25, y = 4 }, back[1][1])
    local ok, err = pcall(socket.emit, socket, "move", { x = "no", y = 1 })
    assert.is_false(ok)
    assert.equal("ENCODE_ERROR", err.code)
    client:close()
    server:close()
  end)
end)

describe("memory", function()
  it("does not grow with clients that come and go", function()
    local server = support.server()
    local function cycle(count)
      for _ = 1, count do
        local client, socket = support.connect(server)
        socket:on("x", ignore)
        client:emit("x", ("x"):rep(100))
        client:close()
        support.event(socket, "disconnect")
      end
      painda.sleep(20)
      return runtime.collect()
    end
    cycle(20)
    local before = cycle(20)
    local after = cycle(60)
    assert.is_true(after - before < 200, ("%d KB before, %d KB after"):format(before, after))
    server:close()
  end)
end)
