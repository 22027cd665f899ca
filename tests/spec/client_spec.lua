local painda = require "painda"
local task = require "painda.task"
local urls = require "painda.client.url"

local function caught(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  return tostring(err)
end

describe("a client's address", function()
  local function parsed(url)
    return assert(urls.parse(url))
  end

  it("has a host, a port, a path and a query", function()
    assert.same(
      { host = "example.com", port = 3000, path = "/chat", query = "a=1&b=2", secure = false },
      parsed "ws://example.com:3000/chat?a=1&b=2"
    )
  end)

  it("knows the usual ports", function()
    assert.equal(80, parsed("ws://x").port)
    assert.equal(443, parsed("wss://x/").port)
    assert.is_true(parsed("wss://x").secure)
    assert.equal("/", parsed("ws://x?y").path)
  end)

  it("may be an IPv6 address", function()
    local address = parsed "ws://[::1]:3000/"
    assert.equal("::1", address.host)
    assert.equal(3000, address.port)
  end)

  it("may be a Unix socket", function()
    local address = parsed "ws+unix:/run/app.sock:/chat?x=1"
    assert.equal("/run/app.sock", address.unixPath)
    assert.equal("/chat", address.path)
    assert.equal("x=1", address.query)
    assert.equal("/", parsed("ws+unix:/run/app.sock").path)
  end)

  it("is encoded where it has to be, and has no fragment", function()
    local address = parsed "ws://x/grüße an?n=a b#part"
    assert.equal("/gr%C3%BC%C3%9Fe%20an", address.path)
    assert.equal("n=a%20b", address.query)
  end)

  it("is refused where something is missing or too much", function()
    local wrong = {
      "",
      "localhost:3000",
      "ftp://x",
      "ws://",
      "ws://:3000",
      "ws://x:0",
      "ws://x:99999",
      "ws://x:y",
      "ws://a b",
      "ws://u:p@x",
    }
    for _, url in ipairs(wrong) do
      local address, why = urls.parse(url)
      assert.is_nil(address, url)
      assert.is_string(why)
    end
  end)
end)

describe("a client", function()
  local server, client, url

  before_each(function()
    server = painda.PPServer { port = 0, host = "127.0.0.1", heartbeat = false }
    url = ("ws://127.0.0.1:%d"):format(server.port)
  end)

  after_each(function()
    if client then
      client:close()
      client = nil
    end
    server:close()
  end)

  -- A client that is connected.
  local function connect(options)
    options = options or {}
    options.url = url
    options.reconnectDelay = options.reconnectDelay or 10
    client = painda.PPClient(options)
    local waiter = task.waiter()
    client:once("connect", function()
      waiter:wake(true)
    end)
    assert.is_true(waiter:wait(5000))
    return client
  end

  -- Waits for an event and returns what its listener is given.
  local function event(emitter, name)
    local waiter = task.waiter()
    emitter:once(name, function(...)
      waiter:wake(...)
    end)
    return waiter:wait(5000)
  end

  it("is told nothing before its constructor has returned", function()
    local states = {}
    client = painda.PPClient(url, { reconnect = false })
    client:on("stateChange", function(now, before)
      states[#states + 1] = before .. ">" .. now
    end)
    assert.equal("connecting", client.state)
    assert.is_false(client:isConnected())
    event(client, "open")
    assert.same({ "connecting>connected" }, states)
    assert.is_true(client:isConnected())
  end)

  it("asks and is answered", function()
    server:on("add", function(_, numbers, ack)
      ack(nil, numbers[1] + numbers[2])
    end)
    server:on("refuse", function(_, _, ack)
      ack(painda.Error("not today", "BUSY"))
    end)
    connect()
    assert.equal(5, client:request("add", { 2, 3 }))
    local response, err = client:request "refuse"
    assert.is_nil(response)
    assert.equal("not today", err.message)
    assert.equal("BUSY", err.code)
  end)

  it("answers the server", function()
    local answered = task.waiter()
    server:on("connection", function(socket)
      answered:wake(socket:request("double", 21))
    end)
    client = painda.PPClient(url)
    client:on("double", function(n, ack)
      ack(nil, n * 2)
    end)
    assert.equal(42, answered:wait(5000))
  end)

  it("may be used from many tasks at once", function()
    server:on("echo", function(_, payload, ack)
      painda.sleep(payload % 3)
      ack(nil, payload)
    end)
    connect()
    local done, left = task.waiter(), 50
    for n = 1, 50 do
      painda.spawn(function()
        assert.equal(n, client:request("echo", n))
        left = left - 1
        if left == 0 then
          done:wake(true)
        end
      end)
    end
    assert.is_true(done:wait(5000))
  end)

  it("keeps the order of what was sent before, while and after it connects", function()
    local got, all = {}, task.waiter()
    server:on("n", function(_, n)
      got[#got + 1] = n
      if n == 6 then
        all:wake(true)
      end
    end)
    client = painda.PPClient(url)
    client:emit("n", 1)
    client:emit("n", 2)
    client:on("stateChange", function()
      client:emit("n", 3)
    end)
    client:on("open", function()
      client:emit("n", 4)
    end)
    client:on("connect", function()
      client:emit("n", 5)
      painda.sleep(1)
      client:emit("n", 6)
    end)
    assert.is_true(all:wait(5000))
    assert.same({ 1, 2, 3, 4, 5, 6 }, got)
  end)

  it("keeps arrays, null and Unicode on the way", function()
    server:on("echo", function(_, payload, ack)
      ack(nil, payload)
    end)
    connect()
    local back = client:request("echo", { list = painda.array {}, none = painda.null, text = "ß→𝄞", n = 0.1 })
    assert.equal("[]", (require("painda.json").encode(back.list)))
    assert.equal(painda.null, back.none)
    assert.equal("ß→𝄞", back.text)
    assert.equal(0.1, back.n)
  end)

  it("hears everything, its types and messages, until it stops listening", function()
    connect()
    local heard = {}
    local function note(kind)
      return function(first)
        heard[#heard + 1] = kind .. " " .. tostring(type(first) == "table" and first.type or first)
      end
    end
    local any, message, own = note "any", note "message", note "own"
    client:onAny(any):on("message", message):on("x", own):once("x", note "once")
    local socket = server:getClients()[1]
    for n = 1, 3 do
      socket:emit("x", n)
      socket:emit("fence", n)
      event(client, "fence")
      if n == 2 then
        client:offAny(any):off("message", message)
      end
    end
    assert.same({
      "any x",
      "message x",
      "own 1",
      "once 1",
      "any fence",
      "message fence",
      "any x",
      "message x",
      "own 2",
      "any fence",
      "message fence",
      "own 3",
    }, heard)
  end)

  it("comes back, and what was sent meanwhile with it", function()
    connect()
    local socket = server:getClients()[1]
    local arrived = task.waiter()
    server:on("kept", function(_, n)
      arrived:wake(n)
    end)
    client:on("disconnect", function()
      client:emit("kept", 7)
    end)
    socket:close(4100, "again, please")
    assert.equal(7, arrived:wait(5000))
    assert.is_true(client:isConnected())
    assert.equal(0, client:queueSize())
  end)

  it("does not come back from a clean close by the server", function()
    connect()
    local socket = server:getClients()[1]
    local reason = task.waiter()
    client:on("disconnect", function(why, code)
      reason:wake(why .. " " .. code)
    end)
    socket:close()
    assert.equal("forced server disconnect 1000", reason:wait(5000))
    painda.sleep(20)
    assert.equal("closed", client.state)
  end)

  it("fails what waits for an ack when it is closed", function()
    connect()
    painda.after(5, function()
      client:close()
    end)
    local response, err = client:request "nobody"
    assert.is_nil(response)
    assert.equal("CONNECTION_ERROR", err.code)
    local sent, why = client:emit "x"
    assert.is_nil(sent)
    assert.equal("closed", why)
  end)

  it("can be closed at every moment", function()
    for _, moment in ipairs { "stateChange", "open", "connect" } do
      local one = painda.PPClient(url)
      local ended = task.waiter()
      one:on(moment, function()
        one:close()
        ended:wake(one.state)
      end)
      assert.equal("closed", ended:wait(5000))
    end
    painda.PPClient(url):close()
    painda.PPClient("ws://nowhere.invalid"):close()
    painda.sleep(20)
    assert.equal(0, #server:getClients())
  end)

  it("gives getToken's word with each connection", function()
    local tokens = {}
    server:on("who", function(socket, _, ack)
      ack(nil, socket.handshake.token)
    end)
    connect {
      getToken = function()
        painda.sleep(1)
        tokens[#tokens + 1] = "t" .. #tokens
        return tokens[#tokens]
      end,
    }
    assert.equal("t0", client:request "who")
    local socket = server:getClients()[1]
    socket:close(4100)
    event(client, "reconnect")
    assert.equal("t1", client:request "who")
  end)

  it("leaves nothing behind", function()
    local runtime = require "painda.core.runtime"
    local function cycle()
      connect()
      client:emit("x", ("y"):rep(100))
      client:close()
      local refused = painda.PPClient { url = "ws://127.0.0.1:1", reconnect = false }
      refused:on("error", function() end)
      event(refused, "stateChange")
    end
    for _ = 1, 5 do
      cycle()
    end
    painda.sleep(20)
    local before = runtime.collect()
    for _ = 1, 30 do
      cycle()
    end
    painda.sleep(20)
    assert.is_true(runtime.collect() - before < 100)
  end)

  it("names what is wrong in its options at the caller's line", function()
    local err = caught(function()
      painda.PPClient { url = url, reconectDelay = 1 }
    end)
    assert.truthy(err:find("reconectDelay", 1, true))
    assert.truthy(err:find('did you mean "reconnectDelay"', 1, true))
    assert.truthy(err:find("client_spec.lua", 1, true))
  end)
end)
