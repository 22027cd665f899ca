local painda = require "painda"
local support = require "support"

-- Waits for the next of that name from a namespace's handle of a client.
local function next_message(handle, name)
  local payload = support.event(handle, name)
  return payload
end

describe("a namespace", function()
  local server

  before_each(function()
    server = support.server()
  end)

  after_each(function()
    server:close()
  end)

  it("is the same object each time, and \"/\" is the server", function()
    assert.equal(server:of "/admin", server:of "/admin")
    assert.equal(server, server:of "/")
    assert.equal("/admin", server:of("/admin").name)
    assert.equal("namespace /admin", tostring(server:of "/admin"))
  end)

  it("is joined by the first message to it, once", function()
    local admin = server:of "/admin"
    local joined = support.record(admin, "connection")
    local client, socket = support.connect(server)
    assert.equal(0, #joined)
    admin:on("stats", function(msg, ack)
      ack(nil, { msg.type, msg.payload })
    end)
    local handle = client:of "/admin"
    assert.same({ "stats", 1 }, handle:request("stats", 1))
    assert.same({ "stats", 2 }, handle:request("stats", 2))
    assert.equal(1, #joined)
    local inside = joined[1][1]
    assert.equal(socket.id, inside.id)
    assert.equal(socket.data, inside.data)
    assert.equal(socket, inside.client)
    assert.equal(admin, inside.namespace)
    assert.equal("127.0.0.1", inside.handshake.address)
    assert.same({ inside }, admin:getClients())
    client:close()
    support.eventually(function()
      return #admin:getClients() == 0
    end)
  end)

  it("gives its handlers the whole message", function()
    local admin = server:of "/admin"
    local seen = {}
    local function note(name)
      return function(msg, ack, socket)
        seen[#seen + 1] = { name, msg.type, msg.payload, type(ack), socket and socket.id }
      end
    end
    local id
    admin:onAny(note "ns any")
    admin:on("x", note "ns type")
    admin:on("connection", function(socket)
      id = socket.id
      socket:onAny(note "any")
      socket:on("message", note "message")
      socket:on("x", note "type")
    end)
    server:onAny(function()
      seen[#seen + 1] = "the default namespace"
    end)
    local client = support.connect(server)
    client:of("/admin"):emit("x", { 1 })
    support.eventually(function()
      return #seen == 5
    end)
    assert.same({ "ns any", "any", "message", "type", "ns type" }, { seen[1][1], seen[2][1], seen[3][1], seen[4][1],
      seen[5][1] })
    assert.same({ "ns type", "x", { 1 }, "function", id }, seen[5])
    assert.same({ "type", "x", { 1 }, "function" }, seen[4])
    client:close()
  end)

  it("is unknown where nobody made it, and says so", function()
    local client = support.connect(server)
    local errors = support.record(client, "serverError")
    local response, err = client:of("/nope"):request "x"
    assert.is_nil(response)
    assert.equal("NAMESPACE_ERROR", err.code)
    assert.equal("unknown namespace /nope", err.message)
    support.eventually(function()
      return errors[1]
    end)
    assert.equal("NAMESPACE_ERROR", errors[1][1].code)
    client:close()
  end)

  it("sends in its name", function()
    local admin = server:of "/admin"
    admin:on("connection", function(socket)
      socket:emit("hello", "there")
    end)
    local client = support.connect(server)
    local elsewhere = support.record(client, "hello")
    local handle = client:of "/admin"
    handle:emit "join"
    assert.equal("there", next_message(handle, "hello"))
    assert.equal(0, #elsewhere)
    client:close()
  end)

  it("hears of what its clients do, and of their end", function()
    local admin = server:of "/admin"
    local gone = support.record(admin, "disconnection")
    local client, socket = support.connect(server)
    local ended
    admin:once("connection", function(inside)
      inside:on("disconnect", function(reason, code)
        ended = { reason, code }
      end)
    end)
    client:of("/admin"):emit "join"
    support.eventually(function()
      return #admin:getClients() == 1
    end)
    local inside = admin:getClients()[1]
    client:close()
    support.eventually(function()
      return gone[1] and ended
    end)
    assert.same({ "client disconnect", 1000 }, ended)
    assert.same({ inside, "client disconnect", 1000 }, gone[1])
    assert.is_true(inside.closed)
    local ok, err = inside:emit "late"
    assert.same({ nil, "closed" }, { ok, err })
    assert.equal(0, admin:emit "late")
    assert.equal(socket, inside.client)
  end)

  it("has acks in both directions", function()
    local admin = server:of "/admin"
    admin:on("connection", function(socket)
      socket:on("sum", function(msg, ack)
        ack(nil, msg.payload[1] + msg.payload[2])
      end)
      socket:on("ask back", function(msg, ack)
        local answer, err = socket:request("question", msg.payload)
        ack(err, answer)
      end)
      socket:on("ask in vain", function(_, ack)
        socket:timeout(10):emit("silence", nil, function(err)
          ack(nil, err.code)
        end)
      end)
      socket:on("raise", function()
        error "on purpose"
      end)
    end)
    local errors, all = support.record(admin, "error"), support.record(server, "error")
    local client = support.connect(server)
    local handle = client:of "/admin"
    handle:on("question", function(payload, ack)
      ack(nil, { payload })
    end)
    assert.equal(5, handle:request("sum", { 2, 3 }))
    assert.same({ "x" }, handle:request("ask back", "x"))
    assert.equal("TIMEOUT_ERROR", handle:request "ask in vain")
    local _, err = handle:request "raise"
    assert.same({ "on purpose", "HANDLER_ERROR" }, { err.message, err.code })
    support.eventually(function()
      return errors[1] and all[1]
    end)
    assert.equal("raise", errors[1][3])
    assert.equal(errors[1][2].client, all[1][2])
    client:close()
  end)

  it("has rooms and broadcasts of its own", function()
    local chat, game = server:of "/chat", server:of "/game"
    local clients = {}
    for i = 1, 3 do
      local client = support.connect(server)
      clients[i] = { client = client, chat = client:of "/chat", game = client:of "/game" }
      clients[i].in_chat = support.record(clients[i].chat, "news")
      clients[i].in_game = support.record(clients[i].game, "news")
      clients[i].outside = support.record(client, "news")
    end
    chat:on("join", function(msg, ack, socket)
      socket:join(msg.payload)
      ack(nil, socket.rooms)
    end)
    game:on("join", function(msg, ack, socket)
      socket:join(msg.payload)
      ack(nil, true)
    end)
    assert.same({ "lobby" }, clients[1].chat:request("join", "lobby"))
    clients[2].chat:request("join", "lobby")
    clients[3].game:request("join", "lobby")
    local one = chat:getClients()[1]
    assert.equal(2, #chat:getClients())
    assert.equal(2, chat:emit("news", "all of chat"))
    assert.equal(1, chat:broadcast({ type = "news", payload = "but one" }, one))
    assert.equal(1, chat:broadcastVolatile({ type = "news", payload = "but one" }, one.id))
    assert.equal(2, chat:to("lobby"):emit("news", "lobby"))
    assert.equal(1, one:to("lobby"):emit("news", "the others there"))
    assert.equal(1, one.broadcast:emit("news", "the others"))
    assert.equal(0, chat:except("lobby"):emit("news", "nobody"))
    assert.equal(1, game:in_("lobby"):emit("news", "the game's lobby"))
    assert.equal(0, server:to("lobby"):emit("news", "nobody"))
    assert.same({}, one.client.rooms)
    one:leave "lobby"
    assert.equal(1, chat:to("lobby"):emit("news", "who is left"))
    support.eventually(function()
      return #clients[1].in_chat + #clients[2].in_chat == 9 and #clients[3].in_game == 1
    end)
    for _, each in ipairs(clients) do
      assert.equal(0, #each.outside)
      each.client:close()
    end
    support.eventually(function()
      return #chat:getClients() == 0 and #game:getClients() == 0
    end)
  end)

  it("is left by disconnect, and joined again with the next message", function()
    local admin = server:of "/admin"
    local joined, gone = support.record(admin, "connection"), support.record(admin, "disconnection")
    admin:on("leave", function(_, _, socket)
      socket:join "room"
      socket:disconnect()
      socket:disconnect()
    end)
    admin:on("close", function(_, _, socket)
      socket:disconnect(true)
    end)
    local client, socket = support.connect(server)
    client:of("/admin"):emit "leave"
    support.eventually(function()
      return gone[1]
    end)
    assert.equal(0, #admin:getClients())
    assert.equal(0, #admin:to("room"):fetchSockets())
    assert.equal("forced server disconnect", gone[1][2])
    assert.is_nil(socket.closed)
    client:of("/admin"):emit "anything"
    support.eventually(function()
      return #joined == 2
    end)
    assert.not_equal(joined[1][1], joined[2][1])
    client:of("/admin"):emit "close"
    support.event(client, "close")
    support.eventually(function()
      return #gone == 2
    end)
  end)

  it("has a name that begins with a slash and is text", function()
    local function fault(name)
      return support.message(server.of, server, name)
    end
    local says = "server:of takes the name of a namespace: it "
    assert.equal(says .. 'begins with a slash: "/admin", not "admin"', fault "admin")
    assert.equal(says .. 'begins with a slash: "/admin", not ""', fault "")
    assert.equal(says .. "is a string, not nil", fault(nil))
    assert.equal(says .. "is too long", fault("/" .. ("x"):rep(255)))
    assert.equal(says .. "is too long", fault("/" .. ("x"):rep(10240)))
    assert.matches("holds a control character", fault "/a\nb", 1, true)
    assert.matches("holds a control character", fault "/a\0b", 1, true)
    assert.matches("UTF-8", fault "/\255", 1, true)
    assert.equal("/" .. ("x"):rep(254), server:of("/" .. ("x"):rep(254)).name)
  end)

  it("shows what the application stored in the client", function()
    server:use(function(socket, next)
      socket.userContext = { role = "admin" }
      next()
    end)
    local admin = server:of "/admin"
    admin:use(function(socket, next)
      next(socket.userContext.role ~= "admin" and "no" or nil)
    end)
    local client = support.connect(server)
    admin:on("role", function(_, ack, socket)
      ack(nil, { socket.userContext.role, type(socket.setTag) })
    end)
    assert.same({ "admin", "nil" }, client:of("/admin"):request "role")
    client:close()
  end)
end)

describe("the middleware of a namespace", function()
  local server

  before_each(function()
    server = support.server { maxPendingMessages = 5 }
  end)

  after_each(function()
    server:close()
  end)

  it("leaves no rooms to who is refused or has left", function()
    local admin, told = server:of "/admin", support.record(server:of "/admin", "roomLeave")
    local last
    admin:use(function(socket, next)
      last = socket
      socket:join "staff"
      next(socket.handshake.query.ok == nil and "no" or nil)
    end)
    local client = support.connect(server)
    local errors = support.record(client, "serverError")
    client:of("/admin"):emit "x"
    support.eventually(function()
      return errors[1]
    end)
    assert.equal(0, admin:to("staff"):emit("secret", 1))
    assert.equal("staff", told[1][2])
    assert.same({ nil, "closed", "closed" }, { last:join "staff" })
    assert.equal(0, server:getStats().rooms)

    local other = support.connect(server, { url = support.url(server) .. "?ok=1" })
    other:of("/admin"):emit "x"
    support.eventually(function()
      return #admin:getClients() == 1
    end)
    assert.equal(1, admin:to("staff"):emit("secret", 1))
    last:disconnect()
    assert.same({ nil, "closed", "closed" }, { last:join "staff" })
    assert.equal(0, admin:to("staff"):emit("secret", 1))
    client:close()
    other:close()
  end)

  it("keeps who it refuses out, and is asked again", function()
    local admin, asked = server:of "/admin", 0
    local joined = support.record(admin, "connection")
    admin:use(function(_, next)
      asked = asked + 1
      next(asked < 3 and "not yet" or nil)
    end)
    admin:on("x", function(msg, ack)
      ack(nil, msg.payload)
    end)
    local client = support.connect(server)
    local errors = support.record(client, "serverError")
    local handle = client:of "/admin"
    for _ = 1, 2 do
      local _, err = handle:request("x", 1)
      assert.same({ "not yet", "MIDDLEWARE_ERROR" }, { err.message, err.code })
    end
    assert.equal(0, #joined)
    assert.equal(3, handle:request("x", 3))
    assert.equal(2, #errors)
    assert.equal(1, #joined)
    client:close()
  end)

  it("makes messages to it wait, in order and not too many, and no others", function()
    local admin, let_in = server:of "/admin", nil
    admin:use(function(_, next)
      let_in = next
    end)
    local seen, answers = {}, {}
    admin:on("x", function(msg, ack)
      seen[#seen + 1] = msg.payload
      ack(nil, msg.payload)
    end)
    server:of("/chat"):on("x", function(_, ack)
      ack(nil, "from chat")
    end)
    server:on("x", function(_, _, ack)
      ack(nil, "from the default one")
    end)
    local client = support.connect(server)
    for i = 1, 7 do
      client:of("/admin"):emit("x", i, function(err, response)
        answers[i] = err and err.code or response
      end)
    end
    assert.equal("from chat", client:of("/chat"):request "x")
    assert.equal("from the default one", client:request "x")
    assert.same({}, seen)
    support.eventually(function()
      return answers[6] and answers[7]
    end)
    let_in()
    support.eventually(function()
      return answers[5]
    end)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
    assert.same({ 1, 2, 3, 4, 5, "MIDDLEWARE_ERROR", "MIDDLEWARE_ERROR" }, answers)
    client:close()
  end)

  it("may lose its client meanwhile", function()
    local admin, let_in = server:of "/admin", nil
    local joined, gone = support.record(admin, "connection"), support.record(admin, "disconnection")
    admin:use(function(_, next)
      let_in = next
    end)
    local client = support.connect(server)
    client:of("/admin"):emit "x"
    support.eventually(function()
      return let_in
    end)
    client:close()
    support.event(server, "disconnection")
    let_in()
    painda.sleep(5)
    assert.same({ 0, 0 }, { #joined, #gone })
  end)

  it("is asked about messages after the server's", function()
    local order = {}
    server:useMessage(function(socket, message, next)
      order[#order + 1] = { "server", socket._ns, message.__ns }
      next()
    end)
    local admin = server:of "/admin"
    admin:useMessage(function(socket, message, next)
      order[#order + 1] = { "admin", socket._ns }
      painda.sleep(1)
      next(message.type == "bad" and "no" or nil)
    end)
    local seen = {}
    admin:onAny(function(msg)
      seen[#seen + 1] = msg.type
    end)
    local client = support.connect(server)
    client:of("/admin"):emit "bad"
    client:of("/admin"):emit "good"
    client:emit "elsewhere"
    support.eventually(function()
      return seen[1]
    end)
    assert.same({ "good" }, seen)
    assert.same({ "server", nil, "/admin" }, order[1])
    assert.same({ "admin", "/admin" }, order[2])
    assert.equal(5, #order)
    client:close()
  end)

  it("is not asked about a message that the server's refuses, and nobody joins by it", function()
    server:useMessage(function(_, _, next)
      next "no"
    end)
    local admin, asked = server:of "/admin", 0
    admin:use(function(_, next)
      asked = asked + 1
      next()
    end)
    local client = support.connect(server)
    local _, err = client:of("/admin"):request "x"
    assert.equal("no", err.message)
    assert.equal(0, asked)
    assert.equal(0, #admin:getClients())
    client:close()
  end)
end)
