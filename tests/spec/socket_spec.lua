local painda = require "painda"
local log = require "painda.log"
local task = require "painda.task"
local support = require "support"

local server, client, socket

local function ignore() end

local function open(options, client_options)
  server = support.server(options)
  client, socket = support.connect(server, client_options)
end

-- Runs fn while nothing is logged: it makes handlers fail on purpose.
local function quietly(fn)
  log.set_level "silent"
  fn()
  log.set_level "warn"
end

local function close()
  client:close()
  server:close()
end

describe("a client's socket", function()
  before_each(function()
    open()
  end)
  after_each(close)

  it("has an id, which is the client's", function()
    assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", socket.id)
    assert.equal("client " .. socket.id, tostring(socket))
    assert.equal(socket, server:getClient(socket.id))
  end)

  it("has data of its own", function()
    assert.same({}, socket.data)
    local other, other_socket = support.connect(server)
    socket.data.name = "Ann"
    assert.same({}, other_socket.data)
    other:close()
  end)

  it("knows its handshake, also after it closed", function()
    local _, with_query = support.connect(server, {
      url = ("ws://127.0.0.1:%d/chat?token=abc&a=1+2%%26&a=second&flag"):format(server.port),
    })
    local handshake = with_query.handshake
    assert.equal("127.0.0.1", handshake.address)
    assert.equal("/chat", handshake.path)
    assert.equal("1 2&", handshake.query.a)
    assert.equal("", handshake.query.flag)
    assert.equal("abc", handshake.token)
    assert.is_false(handshake.secure)
    assert.matches("^127.0.0.1", handshake.headers.host)
    local gone = socket
    client:close()
    support.event(gone, "disconnect")
    assert.is_nil(gone.handshake.path)
    assert.equal("127.0.0.1", gone.handshake.address)
  end)

  it("sends and hears every kind of value", function()
    local echoed = support.record(client, "echo")
    socket:on("echo", function(payload)
      socket:emit("echo", payload)
    end)
    local nested = { a = { b = painda.array { 1 } } }
    local values = { 1, -0.5, "text", "", true, false, painda.null, painda.array {}, nested }
    for _, value in ipairs(values) do
      client:emit("echo", value)
    end
    support.eventually(function()
      return #echoed == #values
    end)
    for i, value in ipairs(values) do
      assert.same(value, echoed[i][1])
    end
  end)

  it("keeps the order of what is sent", function()
    local heard = support.record(client, "n")
    for n = 1, 500 do
      socket:emit("n", n)
    end
    support.eventually(function()
      return #heard == 500
    end)
    for n = 1, 500 do
      assert.equal(n, heard[n][1])
    end
  end)

  it("raises what can't be encoded at the caller's line, and sends nothing of it", function()
    local heard = support.record(client, "x")
    local ok, err = pcall(function()
      socket:emit("x", { a = { b = io.write } })
    end)
    assert.is_false(ok)
    assert.equal("ENCODE_ERROR", err.code)
    assert.matches("a.b", err.message, 1, true)
    for _, mtype in ipairs { "", 5, {}, "__pp_ack" } do
      assert.has_error(function()
        socket:emit(mtype, 1)
      end)
    end
    assert.has_error(function()
      socket:emit(nil, 1)
    end)
    socket:emit("x", "after")
    support.eventually(function()
      return #heard > 0
    end)
    assert.equal("after", heard[1][1])
    assert.equal(1, #heard)
  end)

  it("answers nil where the client is gone", function()
    client:close()
    support.event(socket, "disconnect")
    for _, result in ipairs {
      { socket:emit("x") },
      { socket:send { type = "x" } },
      { socket:sendRaw "x" },
      { socket:sendAck(1, 2) },
      { socket.broadcast:emit "x" },
    } do
      assert.is_true(result[1] == nil or result[1] == 0)
    end
    local value, err = socket:request "x"
    assert.is_nil(value)
    assert.equal("CONNECTION_ERROR", err.code)
    assert.equal(0, socket:bufferedAmount())
    socket:close() -- nothing happens
    assert.is_nil(server:getClient(socket.id))
  end)

  it("takes a message as a table or as it came", function()
    local heard = support.record(client, "message")
    socket:on("message", function(msg)
      socket:send(msg)
      socket:send { type = "copy", payload = msg.payload }
      msg.payload = "changed"
      socket:send(msg)
    end)
    client:emit("greet", { name = "Ann" })
    support.eventually(function()
      return #heard == 3
    end)
    assert.equal("greet", heard[1][1].type)
    assert.same({ name = "Ann" }, heard[1][1].payload)
    assert.equal("copy", heard[2][1].type)
    assert.same({ name = "Ann" }, heard[2][1].payload)
    assert.equal("greet", heard[3][1].type)
    assert.equal("changed", heard[3][1].payload)
    assert.equal(
      "client:send takes a message {type = …, payload = …}, not a string",
      support.message(socket.send, socket, "x")
    )
  end)

  it("sends bytes as they are, and takes nothing else", function()
    assert.equal(
      "client:sendRaw takes a string of bytes, not a number",
      support.message(socket.sendRaw, socket, 5)
    )
    assert.matches("the text is not valid UTF-8", support.raised(socket.sendRaw, socket, "\xff", true), 1, true)
    local heard = support.record(client, "raw")
    assert.is_true(socket:sendRaw('{"type":"raw","payload":1}', true))
    support.eventually(function()
      return #heard == 1
    end)
    assert.equal(1, heard[1][1])
  end)
end)

describe("the listeners of a socket", function()
  before_each(function()
    open { maxListeners = 5 }
  end)
  after_each(close)

  it("are told in their order: any, message, type, and the server's", function()
    local order, done = {}, task.waiter()
    local function note(name)
      return function()
        order[#order + 1] = name
        if name == "server type" then
          done:wake(true)
        end
      end
    end
    server:on("x", note "server type")
    socket:on("x", note "type")
    socket:on("message", note "message")
    socket:onAny(note "any")
    server:onAny(note "server any")
    client:emit("x", 1)
    assert.is_true(done:wait(5000))
    assert.same({ "server any", "any", "message", "type", "server type" }, order)
  end)

  it("are given what they are for", function()
    local got, done = {}, task.waiter()
    socket:onAny(function(mtype, payload, answer)
      got.any = { mtype, payload, type(answer) }
    end)
    socket:on("message", function(msg)
      got.message = { msg.type, msg.payload, msg.__ackId, msg.__ns }
    end)
    socket:on("x", function(payload, answer, msg)
      got.type = { payload, type(answer), msg.type }
    end)
    server:on("x", function(from, payload, answer, msg)
      got.server = { from, payload, type(answer), msg.type }
      done:wake(true)
    end)
    client:emit("x", "p", function() end)
    assert.is_true(done:wait(5000))
    assert.same({
      any = { "x", "p", "function" },
      message = { "x", "p", 1 },
      type = { "p", "function", "x" },
      server = { socket, "p", "function", "x" },
    }, got)
  end)

  it("fail each for itself", function()
    local heard = {}
    socket:on("x", function()
      error "on purpose"
    end)
    socket:on("x", function(n)
      heard[#heard + 1] = n
    end)
    quietly(function()
      client:emit("x", 1)
      client:emit("x", 2)
      support.eventually(function()
        return #heard == 2
      end)
    end)
    assert.same({ 1, 2 }, heard)
    assert.is_true(client:isConnected())
  end)

  it("tell the server's error listeners whose they were", function()
    local errors = support.record(server, "error")
    socket:on("x", function()
      error(painda.Error("broken", "ROOM_ERROR"))
    end)
    quietly(function()
      client:emit "x"
      support.eventually(function()
        return #errors == 1
      end)
    end)
    assert.equal("broken", errors[1][1].message)
    assert.equal("ROOM_ERROR", errors[1][1].code)
    assert.equal(socket, errors[1][2])
    assert.equal("x", errors[1][3])
  end)

  it("go with off, and once is once", function()
    local heard = {}
    local function always(n)
      heard[#heard + 1] = n
    end
    socket:on("x", always)
    socket:once("x", function(n)
      heard[#heard + 1] = -n
    end)
    for n = 1, 2 do
      client:emit("x", n)
    end
    support.eventually(function()
      return #heard == 3
    end)
    table.sort(heard)
    assert.same({ -1, 1, 2 }, heard)
    socket:off("x", always)
    client:emit("x", 3)
    painda.sleep(20)
    assert.equal(3, #heard)
  end)

  it("of an event do not hear a message of that name", function()
    local disconnects, messages = support.record(socket, "disconnect"), support.record(socket, "message")
    client:emit("disconnect", "fake")
    client:emit("error", "fake")
    client:emit("message", "fake")
    support.eventually(function()
      return #messages == 3
    end)
    assert.equal(0, #disconnects)
  end)

  it("are bounded, all names together", function()
    for i = 1, 5 do
      socket:on("x" .. i, ignore)
    end
    assert.matches('socket_spec.lua:%d+: a client has at most 5 listeners %(maxListeners%): "y" is one too many',
      support.raised(function()
        socket:on("y", ignore)
      end))
    assert.has_error(function()
      socket:once("disconnect", ignore)
    end)
    socket:off "x1"
    socket:on("y", ignore)
  end)

  it("are functions with a name", function()
    assert.matches("client:on takes the name", support.raised(socket.on, socket, nil, ignore), 1, true)
    assert.matches('client:on("x", …) takes a function', support.raised(socket.on, socket, "x"), 1, true)
    assert.matches("client:once takes the name", support.raised(socket.once, socket, "", ignore), 1, true)
    assert.matches("takes a function", support.raised(socket.onAny, socket), 1, true)
  end)

  it("may be removed where there are none", function()
    socket:off "x"
    socket:off("x", ignore)
    socket:offAny(ignore)
  end)
end)

describe("closing a socket", function()
  before_each(function()
    open()
  end)
  after_each(close)

  it("sends what was queued, then the code and the reason", function()
    local heard, closed = support.record(client, "n"), support.record(client, "close")
    for n = 1, 100 do
      socket:emit("n", n)
    end
    socket:close(4321, "bye")
    support.eventually(function()
      return #closed == 1
    end)
    assert.equal(100, #heard)
    assert.equal(4321, closed[1][1])
    assert.equal("bye", closed[1][2])
  end)

  it("is told to both listeners, with the reason of who closed", function()
    local server_told = support.record(server, "disconnection")
    local told = support.record(socket, "disconnect")
    socket:close()
    support.eventually(function()
      return #server_told == 1
    end)
    assert.same({ "forced server disconnect", 1000 }, told[1])
    assert.same({ socket, "forced server disconnect", 1000 }, server_told[1])
    assert.is_true(socket.closed)
  end)

  it("by the client is told as such", function()
    local told = support.record(socket, "disconnect")
    client:close(4000, "tired")
    support.eventually(function()
      return #told == 1
    end)
    assert.same({ "client disconnect", 4000 }, told[1])
  end)

  it("takes a code that a server may send", function()
    for _, code in ipairs { 0, 999, 1001, 1005, 1006, 1015, 2999, 5000, 0 / 0, "1000x", {} } do
      local text = support.raised(socket.close, socket, code)
      assert.matches("client:close takes a code of 1000, or 3000 to 4999, not ", text, 1, true)
    end
    assert.is_true(client:isConnected())
  end)

  it("cuts a long reason, and keeps it UTF-8", function()
    local closed = support.record(client, "close")
    socket:close(4000, ("ü"):rep(100))
    support.eventually(function()
      return #closed == 1
    end)
    assert.equal(4000, closed[1][1])
    assert.equal(("ü"):rep(61), closed[1][2])
  end)

  it("twice is once", function()
    local told = support.record(socket, "disconnect")
    socket:close(4000)
    socket:close(4001)
    support.eventually(function()
      return #told == 1
    end)
    painda.sleep(10)
    assert.equal(1, #told)
    assert.equal(4000, told[1][2])
  end)
end)

describe("the tags of a socket", function()
  before_each(function()
    open { maxTags = 3 }
  end)
  after_each(close)

  it("are set, read and removed", function()
    assert.equal(socket, socket:setTag("team", "red"))
    socket:setTag "admin"
    assert.equal("red", socket:getTag "team")
    assert.is_true(socket:getTag "admin")
    assert.is_true(socket:hasTag "team")
    assert.is_false(socket:hasTag "other")
    assert.is_nil(socket:getTag "other")
    socket:removeTag "team"
    socket:removeTag "never"
    assert.is_false(socket:hasTag "team")
    assert.same({ admin = true }, socket:getAllTags())
  end)

  it("may be false", function()
    socket:setTag("ready", false)
    assert.is_true(socket:hasTag "ready")
    assert.is_false(socket:getTag "ready")
  end)

  it("are handed out as a copy", function()
    socket:setTag("team", "red")
    socket:getAllTags().team = "blue"
    assert.equal("red", socket:getTag "team")
  end)

  it("are none before any was set", function()
    assert.same({}, socket:getAllTags())
    assert.is_false(socket:hasTag "x")
    socket:removeTag "x"
  end)

  it("are bounded, but may be changed", function()
    for i = 1, 3 do
      socket:setTag("t" .. i)
    end
    socket:setTag("t1", "changed")
    assert.matches("a client has at most 3 tags (maxTags)", support.raised(socket.setTag, socket, "t4"), 1, true)
    assert.matches("a client has at most 3 tags (maxTags)", support.raised(socket.setTag, socket, "t4", 1), 1, true)
    socket:removeTag "t2"
    socket:setTag "t4"
  end)

  it("have a name", function()
    local text = support.message(socket.setTag, socket)
    assert.equal("client:setTag takes the name of a tag, a string that is not empty, not nil", text)
  end)

  it("find and reach clients", function()
    local other, other_socket = support.connect(server)
    local heard, other_heard = support.record(client, "x"), support.record(other, "x")
    socket:setTag("team", "red")
    other_socket:setTag("team", "blue")
    assert.same({ socket }, server:getClientsByTag("team", "red"))
    assert.equal(2, #server:getClientsByTag "team")
    assert.same({}, server:getClientsByTag "nobody")
    assert.equal(1, server:broadcastToTag("team", "blue", { type = "x", payload = 1 }))
    assert.equal(2, server:broadcastToTag("team", { type = "x", payload = 2 }))
    support.eventually(function()
      return #heard == 1 and #other_heard == 2
    end)
    assert.equal(2, heard[1][1])
    assert.equal(1, other_heard[1][1])
    other:close()
  end)
end)

describe("a broadcast of a socket", function()
  before_each(function()
    open()
  end)
  after_each(close)

  it("reaches all others", function()
    local others, heard = {}, {}
    for i = 1, 3 do
      others[i] = support.connect(server)
      heard[i] = support.record(others[i], "x")
    end
    local own = support.record(client, "x")
    socket.broadcast:emit("x", "hello")
    support.eventually(function()
      return #heard[1] == 1 and #heard[2] == 1 and #heard[3] == 1
    end)
    painda.sleep(5)
    assert.equal(0, #own)
    for i = 1, 3 do
      assert.equal("hello", heard[i][1][1])
      others[i]:close()
    end
  end)
end)

describe("the time of an ack", function()
  before_each(function()
    open()
  end)
  after_each(close)

  it("is above 0", function()
    for _, ms in ipairs { 0, -1, 0 / 0, math.huge, "10" } do
      local text = support.raised(socket.timeout, socket, ms)
      assert.matches("client:timeout takes milliseconds above 0, not ", text, 1, true)
    end
  end)

  it("holds for a callback too", function()
    local answered = task.waiter()
    socket:timeout(5):emit("nobody", 1, function(err)
      answered:wake(err)
    end)
    assert.equal("TIMEOUT_ERROR", answered:wait(5000).code)
  end)
end)
