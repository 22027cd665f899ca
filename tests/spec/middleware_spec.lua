local painda = require "painda"
local support = require "support"

local function pass(_, next)
  next()
end

-- A client that may be refused: what it hears is in .errors and .closed.
local function knock(server, query)
  local client = painda.PPClient { url = support.url(server) .. (query or ""), reconnect = false }
  local heard = { client = client, errors = support.record(client, "serverError") }
  client:on("close", function(code, text)
    heard.closed = { code, text }
  end)
  return heard
end

local function refused(heard, text)
  support.eventually(function()
    return heard.closed
  end, "the close")
  assert.same({ 4003, text }, heard.closed)
  assert.equal(1, #heard.errors)
  assert.equal("MIDDLEWARE_ERROR", heard.errors[1][1].code)
  assert.equal(text, heard.errors[1][1].message)
end

local server

local function serve(options)
  server = support.server(options)
end

local function stop()
  server:close()
end

describe("connection middleware", function()
  before_each(serve)
  after_each(stop)

  it("is asked in order, and may wait", function()
    local order = {}
    server:use(function(socket, next)
      order[#order + 1] = 1
      painda.sleep(5)
      socket.user = "ann"
      next()
    end)
    server:use(function(socket, next)
      order[#order + 1] = socket.user
      painda.after(5, next)
    end)
    server:use(pass)
    local client, socket = support.connect(server)
    assert.same({ 1, "ann" }, order)
    assert.equal("ann", socket.user)
    client:close()
  end)

  it("refuses where next is given what is no answer, and raises at the line that gave it", function()
    local raised
    for i, wrong in ipairs { false, true, 5, {}, { message = "no" }, print } do
      server:use(function(_, next)
        if i % 2 == 0 then
          painda.sleep(1)
        end
        local ok, err = pcall(function()
          next(wrong)
        end)
        raised = not ok and err
      end)
      local heard = knock(server)
      support.eventually(function()
        return heard.closed
      end, "the close")
      assert.equal(4003, heard.closed[1])
      assert.truthy(raised:find("^tests/spec/middleware_spec%.lua:%d+: next takes nothing, to pass on, or why not"))
      stop()
      serve()
    end
  end)

  it("refuses with a text or an error, and then no handler hears of the client", function()
    local opened, gone = support.record(server, "connection"), support.record(server, "disconnection")
    local asked = 0
    server:use(function(socket, next)
      local why = socket.handshake.query.why
      if why == "late" then
        painda.sleep(5)
      end
      next(why == "error" and painda.Error("an error", "AUTH_ERROR") or why)
    end)
    server:use(function()
      asked = asked + 1
    end)
    refused(knock(server, "?why=text"), "text")
    refused(knock(server, "?why=late"), "late")
    refused(knock(server, "?why=error"), "an error")
    assert.equal(0, asked)
    assert.equal(0, #opened)
    assert.equal(0, #gone)
  end)

  it("that raises refuses, before and after it has waited, and the error handlers hear of it", function()
    local errors = support.record(server, "error")
    server:use(function(socket)
      if socket.handshake.query.late then
        painda.sleep(1)
      end
      error "on purpose"
    end)
    refused(knock(server), "on purpose")
    refused(knock(server, "?late=1"), "on purpose")
    assert.equal(2, #errors)
    assert.matches("middleware_spec.lua:%d+: on purpose", errors[1][1].message)
    assert.equal("table", type(errors[1][2]))
  end)

  it("that does not answer in time refuses", function()
    server:close()
    serve { middlewareTimeout = 30 }
    local keep
    server:use(function(_, next)
      keep = next
    end)
    refused(knock(server), "no answer from the middleware within 30 ms")
    keep() -- too late: nothing
    server:use(function()
      painda.sleep(1000)
    end)
    local heard = knock(server)
    support.eventually(function()
      return keep
    end)
    refused(heard, "no answer from the middleware within 30 ms")
  end)

  it("that returns and has lost next refuses soon, one that has kept it does not", function()
    local kept
    server:use(function(socket, next)
      if socket.handshake.query.keep then
        kept = next
      end
    end)
    refused(knock(server), "no answer from the middleware")
    local heard = knock(server, "?keep=1")
    support.eventually(function()
      return kept
    end)
    for _ = 1, 10 do
      collectgarbage()
      painda.sleep(10)
    end
    assert.is_nil(heard.closed)
    local opened = support.record(server, "connection")
    kept()
    support.eventually(function()
      return opened[1]
    end)
    heard.client:close()
  end)

  it("is asked once, however often it calls next", function()
    local asked, opened = 0, support.record(server, "connection")
    server:use(function(_, next)
      next()
      next()
      next "no"
      painda.after(1, next)
    end)
    server:use(function(_, next)
      asked = asked + 1
      next()
    end)
    local client = support.connect(server)
    painda.sleep(20)
    assert.equal(1, asked)
    assert.equal(1, #opened)
    assert.is_true(client:isConnected())
    client:close()
  end)

  it("holds up nobody else, nor by what follows next()", function()
    server:use(function(socket, next)
      if socket.handshake.query.slow then
        painda.sleep(200)
      end
      next()
      painda.sleep(10000)
    end)
    local opened = support.record(server, "connection")
    local slow = knock(server, "?slow=1")
    local client = support.connect(server)
    assert.equal(1, #opened)
    support.eventually(function()
      return #opened == 2
    end)
    slow.client:close()
    client:close()
  end)

  it("keeps a client out of broadcasts, lists and rooms of all until it is let in", function()
    local let_in
    local inside = support.connect(server)
    server:use(function(socket, next)
      socket:join "lobby"
      let_in = next
    end)
    local heard = knock(server)
    local got = support.record(heard.client, "news")
    support.eventually(function()
      return let_in
    end)
    assert.equal(1, #server:getClients())
    assert.equal(1, server:emit("news", 1))
    assert.equal(0, server:to("lobby"):emit("news", 2))
    assert.equal(0, #server:in_("lobby"):fetchSockets())
    let_in()
    support.eventually(function()
      return #server:getClients() == 2
    end)
    assert.equal(2, server:emit("news", 3))
    assert.equal(1, server:to("lobby"):emit("news", 4))
    support.eventually(function()
      return #got == 2
    end)
    assert.same({ 3, 4 }, { got[1][1], got[2][1] })
    inside:close()
    heard.client:close()
  end)

  it("may talk with its client, whose messages wait", function()
    local order = {}
    server:use(function(socket, next)
      local answer = socket:request "who are you?" -- an ack is the protocol's own: it passes
      order[#order + 1] = answer
      next()
    end)
    server:on("connection", function(socket)
      socket:on("first", function(_, ack)
        order[#order + 1] = "first"
        ack(nil, order)
      end)
    end)
    local client = painda.PPClient { url = support.url(server), reconnect = false }
    local answer
    client:on("who are you?", function(_, ack)
      ack(nil, "ann") -- before it sends anything: what is read no further holds answers up too
      answer = client:request "first"
    end)
    support.eventually(function()
      return answer
    end)
    assert.same({ "ann", "first" }, answer)
    client:close()
  end)

  it("may lose its client meanwhile", function()
    local opened, gone, let_in = support.record(server, "connection"), support.record(server, "disconnection"), nil
    server:use(function(_, next)
      let_in = next
    end)
    local heard = knock(server)
    support.eventually(function()
      return let_in
    end)
    heard.client:close()
    support.eventually(function()
      return server:getStats().clients == 0
    end)
    let_in()
    painda.sleep(5)
    assert.equal(0, #opened)
    assert.equal(0, #gone)
  end)

  it("may close its client, which then no handler hears of", function()
    local opened, gone = support.record(server, "connection"), support.record(server, "disconnection")
    server:use(function(socket, next)
      socket:close(4321, "not today")
      next()
    end)
    local heard = knock(server)
    support.eventually(function()
      return heard.closed
    end, "the close")
    assert.same({ 4321, "not today" }, heard.closed)
    support.eventually(function()
      return server:getStats().clients == 0
    end)
    assert.equal(0, #opened)
    assert.equal(0, #gone)
  end)

  it("that never ends is ended, and its client refused", function()
    server:close()
    serve { handlerTimeout = 50, middlewareTimeout = 100 }
    local function spin()
      while true do -- luacheck: ignore
      end
    end
    jit.off(spin) -- compiled code can't be stopped
    server:use(spin)
    refused(knock(server), "no answer from the middleware within 100 ms")
  end)

  it("is a function", function()
    for _, method in ipairs { "use", "useMessage" } do
      assert.equal(("server:%s takes a function, not a nil"):format(method), support.message(server[method], server))
      local ns = server:of "/x"
      assert.equal(("namespace:%s takes a function, not a table"):format(method), support.message(ns[method], ns, {}))
    end
  end)
end)

describe("message middleware", function()
  local client, socket

  it("can't take a message its type", function()
    local raised = {}
    server:useMessage(function(_, message, next)
      for i, wrong in ipairs { "", 5, {} } do
        raised[i] = support.raised(function()
          message.type = wrong
        end)
      end
      message.type = nil
      next()
    end)
    client, socket = support.connect(server)
    local answer, err = client:request("x", 1)
    assert.is_nil(answer)
    assert.equal("MIDDLEWARE_ERROR", err.code)
    assert.matches("the type of a message is a string that is not empty, not nil", err.message)
    assert.equal(3, #raised)
    assert.matches("^tests/spec/middleware_spec.lua:%d+: the type of a message is a string .*, not number$", raised[2])
  end)

  before_each(serve)
  after_each(function()
    client:close()
    stop()
  end)

  it("is asked in order about every message, and may change it", function()
    local order = {}
    server:useMessage(function(given, message, next)
      order[#order + 1] = { given.id, message.type, message.payload }
      message.payload = { message.payload }
      next()
    end)
    server:useMessage(function(_, message, next)
      order[#order + 1] = message.payload
      painda.sleep(1)
      if message.type == "alias" then
        message.type = "echo"
      end
      next()
    end)
    client, socket = support.connect(server)
    server:on("echo", function(_, payload, ack, msg)
      ack(nil, { payload, msg.payload, msg.type })
    end)
    assert.same({ { 7 }, { 7 }, "echo" }, client:request("echo", 7))
    assert.same({ { 8 }, { 8 }, "echo" }, client:request("alias", 8))
    assert.same({ socket.id, "echo", 7 }, order[1])
    assert.same({ 7 }, order[2])
  end)

  it("drops what it refuses, and rejects its ack", function()
    local handled = 0
    server:useMessage(function(_, message, next)
      if message.type == "raise" then
        error "on purpose"
      elseif message.type == "code" then
        next(painda.Error("with a code", "ROOM_ERROR"))
      else
        painda.sleep(1)
        next "no"
      end
    end)
    server:onAny(function()
      handled = handled + 1
    end)
    client = support.connect(server)
    local errors = support.record(client, "serverError")
    for name, expected in pairs {
      x = { "no", "MIDDLEWARE_ERROR" }, code = { "with a code", "ROOM_ERROR" },
      raise = { "on purpose", "MIDDLEWARE_ERROR" },
    } do
      local response, err = client:request(name)
      assert.is_nil(response)
      assert.same(expected, { err.message, err.code })
    end
    support.eventually(function()
      return #errors == 3
    end)
    assert.equal("MIDDLEWARE_ERROR", errors[1][1].code)
    assert.equal(0, handled)
    assert.is_true(client:isConnected())
  end)

  it("does not leave a client hanging that it never answers", function()
    server:close()
    serve { middlewareTimeout = 30 }
    local forever = {}
    server:useMessage(function(_, message, next)
      if message.type == "kept" then
        forever[#forever + 1] = next
      elseif message.type == "asleep" then
        painda.sleep(10000)
        next()
      end
    end)
    client = support.connect(server)
    local _, err = client:request "kept"
    assert.same({ "no answer from the middleware within 30 ms", "MIDDLEWARE_ERROR" }, { err.message, err.code })
    _, err = client:request "asleep"
    assert.equal("no answer from the middleware within 30 ms", err.message)
    _, err = client:request "lost"
    assert.matches("^no answer from the middleware", err.message)
  end)

  it("lets the messages of one client run beside each other", function()
    local running, most, done = 0, 0, 0
    for _ = 1, 3 do
      server:useMessage(function(_, _, next)
        running = running + 1
        most = math.max(most, running)
        painda.sleep(20)
        running = running - 1
        next()
      end)
    end
    client = support.connect(server)
    server:on("x", function()
      done = done + 1
    end)
    for _ = 1, 100 do
      client:emit "x"
    end
    support.eventually(function()
      return done == 100
    end)
    assert.equal(100, most)
  end)

  it("has no more than maxPendingMessages of a client at once", function()
    server:close()
    serve { maxPendingMessages = 3 }
    local gates = {}
    server:useMessage(function(_, _, next)
      gates[#gates + 1] = next
    end)
    client = support.connect(server)
    local errors = support.record(client, "serverError")
    server:on("x", function(_, payload, ack)
      ack(nil, payload)
    end)
    local answers = {}
    for i = 1, 5 do
      client:emit("x", i, function(err, response)
        answers[i] = err and err.code or response
      end)
    end
    support.eventually(function()
      return #errors == 2
    end)
    assert.equal("more than 3 messages wait (maxPendingMessages)", errors[1][1].message)
    for _, gate in ipairs(gates) do
      gate()
    end
    support.eventually(function()
      return answers[3]
    end)
    assert.same({ 1, 2, 3, "MIDDLEWARE_ERROR", "MIDDLEWARE_ERROR" }, answers)
    client:emit("x", 6)
    support.eventually(function()
      return #gates == 4
    end)
  end)

  it("has no more than maxPendingBytes of a client at once, or one message", function()
    server:close()
    serve { maxPendingBytes = 1000 }
    local gates = {}
    server:useMessage(function(_, _, next)
      gates[#gates + 1] = next
    end)
    client = support.connect(server)
    local errors = support.record(client, "serverError")
    local got = support.record(server, "x")
    client:emit("x", ("a"):rep(5000))
    client:emit("x", "b")
    support.eventually(function()
      return errors[1]
    end)
    assert.equal("more than 1000 bytes of messages wait (maxPendingBytes)", errors[1][1].message)
    gates[1]()
    for i = 1, 3 do
      client:emit("x", ("c"):rep(200))
      support.eventually(function()
        return #gates == 1 + i
      end)
    end
    client:emit("x", ("d"):rep(800))
    support.eventually(function()
      return errors[2]
    end)
    assert.equal(1, #got)
  end)

  it("asks about messages that a schema has read", function()
    local at = painda.structSerializer(7, { { name = "x", type = "uint8" } })
    server:close()
    serve { registry = painda.PPSchemaRegistry():register("at", at) }
    server:useMessage(function(_, message, next)
      message.payload.x = message.payload.x + 1
      next()
    end)
    client = support.connect(server, { registry = painda.PPSchemaRegistry():register("at", at) })
    local got = support.record(server, "at")
    client:emit("at", { x = 1 })
    support.eventually(function()
      return got[1]
    end)
    assert.same({ x = 2 }, got[1][2])
  end)

  it("does not ask about the protocol's own messages", function()
    local asked = {}
    server:useMessage(function(_, message, next)
      asked[#asked + 1] = message.type
      next()
    end)
    client, socket = support.connect(server)
    client:on("question", function(_, ack)
      ack(nil, 42)
    end)
    assert.equal(42, socket:request "question")
    assert.same({}, asked)
  end)
end)
