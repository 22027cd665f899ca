local painda = require "painda"
local support = require "support"
local task = require "painda.task"

local function plugin(name, hooks, more)
  local made = { name = name, install = function() return hooks end }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

local function boom()
  error "boom"
end

describe("server:register", function()
  local server

  before_each(function()
    server = support.server()
  end)

  after_each(function()
    server:close()
  end)

  local function refused(what, given)
    return support.message(server.register, server, what, given)
  end

  it("installs a plugin with its options, and gives what it exposes", function()
    local seen
    local chained = server:register({
      name = "one",
      version = "1.0.0",
      install = function(ctx, given)
        seen = given
        ctx:expose { double = function(n) return 2 * n end }
      end,
    }, { debug = true })
    assert.equal(server, chained)
    assert.same({ debug = true }, seen)
    assert.equal(8, server:getPlugin("one").double(4))
    assert.is_true(server:hasPlugin "one")
    assert.is_false(server:hasPlugin "two")
    assert.is_nil(server:getPlugin "two")
    server:register(plugin "two")
    assert.same({ "one", "two" }, server:getPluginNames())
  end)

  it("refuses what is no plugin, at the caller", function()
    assert.matches("plugin_spec.lua:%d+: ", support.raised(function() server:register(nil) end))
    assert.equal("server:register takes a plugin {name = …, install = …}, not a nil", refused(nil))
    assert.equal("server:register: the plugin has no name (a string that is not empty)", refused { install = print })
    assert.equal('plugin "x" has no function install(ctx, options)', refused { name = "x" })
    assert.equal('plugin "x": the version is a string, not a number', refused(plugin("x", nil, { version = 1 })))
    assert.equal('plugin "x": dependencies is a list of names, not a string',
      refused(plugin("x", nil, { dependencies = "y" })))
    assert.equal('plugin "x": dependencies is a list of names, and item 1 is a table',
      refused(plugin("x", nil, { dependencies = { {} } })))
    assert.same({}, server:getPluginNames())
  end)

  it("refuses a second one of a name", function()
    server:register(plugin "one")
    assert.equal('plugin "one" is registered already', refused(plugin "one"))
  end)

  it("needs the dependencies first, and says when they never can be", function()
    local a, b = plugin("a", nil, { dependencies = { "b" } }), plugin("b", nil, { dependencies = { "c" } })
    local c = plugin("c", nil, { dependencies = { "a" } })
    assert.equal('plugin "a" needs the plugin "b", which is not registered: register it first', refused(a))
    assert.equal('plugin "b" needs the plugin "c", which is not registered: register it first', refused(b))
    assert.equal('plugin "c" needs "a", which needs "c": neither can come first', refused(c))
    assert.equal('plugin "self" needs "self", which needs "self": neither can come first',
      refused(plugin("self", nil, { dependencies = { "self" } })))
    server:register(plugin "c")
    server:register(b):register(a)
    assert.same({ "c", "b", "a" }, server:getPluginNames())
    assert.equal('plugin "d" needs the plugin "storage", which is not registered (did you mean "storages"?)',
      support.message(server.register, server:register(plugin "storages"),
        plugin("d", nil, { dependencies = { "storage" } })))
  end)

  it("names a hook that there is not, and the nearest", function()
    assert.equal('plugin "x": there is no hook "onMesage", did you mean "onMessage"?',
      refused(plugin("x", { onMesage = print })))
    assert.matches('there is no hook "xyz": there are onConnect, onDisconnect,', refused(plugin("x", { xyz = print })))
    assert.equal('plugin "x": the hook onSend is a function, not a string', refused(plugin("x", { onSend = "no" })))
    assert.equal('plugin "x": install returns a table of hooks or nothing, not a string', refused(plugin("x", "no")))
    assert.is_false(server:hasPlugin "x")
  end)

  it("changes nothing where install raises", function()
    local entered
    assert.matches('plugin "x": install failed: .*plugin_spec.lua:%d+: boom', refused {
      name = "x",
      install = function(ctx)
        ctx:use(function(_, next)
          entered = true
          next()
        end)
        ctx:on("connection", boom)
        ctx:expose {}
        error "boom"
      end,
    })
    assert.same({}, server:getPluginNames())
    support.connect(server)
    assert.is_nil(entered)
    server:register(plugin "x")
  end)

  it("gives install what it needs", function()
    local ctx
    local heard = {}
    server:register { name = "base", install = function(given) given:expose "api of base" end }
    server:register {
      name = "x",
      dependencies = { "base" },
      install = function(given)
        ctx = given
        heard.base = given:getPlugin "base"
        given:use(function(socket, next)
          heard.used = socket.id
          next()
        end):useMessage(function(_, message, next)
          heard.message = message.type
          next()
        end):on("ping", function(client, payload)
          heard.ping = payload
          client:emit "pong"
        end)
      end,
    }
    assert.equal("api of base", heard.base)
    local client, socket = support.connect(server)
    assert.equal(socket.id, heard.used)
    local pong = support.record(client, "pong")
    local news = support.record(client, "news")
    client:emit("ping", 7)
    support.eventually(function()
      return pong[1]
    end)
    assert.same({ "ping", 7 }, { heard.message, heard.ping })
    assert.equal(1, ctx:getClientCount())
    assert.equal(socket, ctx:getClient(socket.id))
    assert.equal(1, ctx:broadcast { type = "news" })
    ctx:log("hello", 1, { room = "x" })
    support.eventually(function()
      return news[1]
    end)
    assert.equal('plugin "x": ctx:use can be called while install runs, and not later',
      support.message(ctx.use, ctx, print))
    assert.matches("^call it with a colon: ctx:use%(…%)", support.message(ctx.use, print))
  end)
end)

describe("a plugin's hook", function()
  local server, raised

  before_each(function()
    server, raised = support.server(), 0
    server:on("error", function()
      raised = raised + 1
    end)
  end)

  after_each(function()
    server:close()
  end)

  it("is told of clients, rooms, and the end", function()
    local told = {}
    local function note(name)
      return function(client, detail)
        told[#told + 1] = name .. (client and type(detail) == "string" and " " .. detail or "")
      end
    end
    server:register(plugin("x", {
      onConnect = note "connect",
      onDisconnect = note "disconnect",
      onRoomJoin = note "join",
      onRoomLeave = note "leave",
      onShutdown = note "shutdown",
    }))
    server:on("connection", note "handler")
    local client, socket = support.connect(server)
    socket:join { "red", "blue" }
    socket:leave "red"
    client:close()
    support.eventually(function()
      return told[7]
    end)
    assert.same({ "connect", "handler", "join red", "join blue", "leave red", "leave blue",
      "disconnect client disconnect" }, told)
    server:gracefulShutdown(1000)
    assert.equal("shutdown", told[8])
  end)

  it("sees every message and may drop it", function()
    local seen = {}
    server:register(plugin("x", { onMessage = function(_, msg)
      seen[#seen + 1] = { msg.type, msg.payload }
      if msg.type == "banned" then
        return false
      end
    end }))
    local handled = support.record(server, "banned")
    server:on("fine", function(_, payload, ack)
      ack(nil, payload)
    end)
    local client = support.connect(server)
    local answer, err = client:request("banned", 1)
    assert.same({ nil, "the message was dropped", "MIDDLEWARE_ERROR" }, { answer, err.message, err.code })
    assert.equal(2, client:request("fine", 2))
    assert.same({ { "banned", 1 }, { "fine", 2 } }, seen)
    assert.same({}, handled)
  end)

  it("may change what is sent, or drop it", function()
    server:register(plugin("stamp", { onSend = function(client, msg)
      if msg.type == "secret" then
        return false
      end
      return { type = msg.type, payload = { was = msg.payload, one = client ~= nil } }
    end }))
    local client, socket = support.connect(server)
    local seen = support.record(client, "hello")
    assert.is_true(socket:emit("hello", 1))
    assert.is_true(socket:send { type = "hello", payload = 2 })
    assert.equal(1, server:emit("hello", 3))
    assert.equal(1, server:broadcast { type = "hello", payload = 4 })
    socket:join "r"
    assert.equal(1, server:to("r"):emit("hello", 5))
    assert.same({ nil, 'dropped by the plugin "stamp"' }, { socket:emit("secret", 1) })
    assert.equal(0, server:emit("secret", 1))
    local answer, err = socket:request("secret", 1)
    assert.same({ nil, 'dropped by the plugin "stamp"', "MIDDLEWARE_ERROR" }, { answer, err.message, err.code })
    support.eventually(function()
      return seen[5]
    end)
    for i = 1, 5 do
      assert.same({ was = i, one = i < 3 }, seen[i][1])
    end
  end)

  it("leaves a message without a type the error that it is", function()
    server:register(plugin("x", { onSend = function() end }))
    local client, socket = support.connect(server)
    socket:join "r"
    for _, send in ipairs {
      function() socket:send { payload = 1 } end,
      function() server:broadcast { payload = 1 } end,
      function() server:to("r"):send { payload = 1 } end,
    } do
      assert.matches("takes the type of a message, a string that is not empty, not nil$", support.message(send))
    end
    client:close()
  end)

  it("is asked once for a broadcast, and passes relayed messages as they are", function()
    local asked = {}
    server:register(plugin("x", { onSend = function(_, msg)
      asked[#asked + 1] = type(msg)
    end }))
    local a = support.connect(server)
    local b = support.connect(server)
    local seen = support.record(b, "news")
    server:on("connection", function() end)
    for _, socket in ipairs(server:getClients()) do
      socket:on("message", function(msg)
        server:broadcast(msg, socket)
      end)
    end
    a:emit("news", { deep = { 1, 2 } })
    support.eventually(function()
      return seen[1]
    end)
    assert.same({ deep = { 1, 2 } }, seen[1][1])
    assert.same({ "userdata" }, asked)
  end)

  it("is not asked again for what it sends itself", function()
    local n = 0
    server:register(plugin("echo", { onSend = function(client)
      n = n + 1
      client:emit("copy", n)
    end }))
    local client, socket = support.connect(server)
    local copies, hellos = support.record(client, "copy"), support.record(client, "hello")
    socket:emit "hello"
    support.eventually(function()
      return hellos[1]
    end)
    assert.same({ 1, 1 }, { n, #copies })
  end)

  it("that answers nonsense is reported, and the message goes as it was", function()
    server:register(plugin("x", { onSend = function()
      return "nonsense"
    end }))
    local client, socket = support.connect(server)
    local seen = support.record(client, "hello")
    socket:emit("hello", 1)
    support.eventually(function()
      return seen[1]
    end)
    assert.equal(1, raised)
  end)

  it("that raises harms nothing else, whichever it is", function()
    local told, errors = {}, {}
    local function note(name)
      return function()
        told[name] = (told[name] or 0) + 1
      end
    end
    local bad, good = {}, {}
    for _, name in ipairs { "onConnect", "onDisconnect", "onMessage", "onSend", "onRoomJoin", "onRoomLeave",
      "onShutdown", "onError" } do
      bad[name], good[name] = boom, note(name)
    end
    good.onError = function(err, client, what)
      errors[#errors + 1] = { tostring(err), client and client.id, what }
    end
    server:register(plugin("bad", bad)):register(plugin("good", good))
    server:on("work", function(client, payload, ack)
      client:join "r"
      client:leave "r"
      client:emit "done"
      ack(nil, payload)
    end)
    local client, socket = support.connect(server)
    local done = support.record(client, "done")
    assert.equal(5, client:request("work", 5))
    client:close()
    support.eventually(function()
      return told.onDisconnect and done[1]
    end)
    server:gracefulShutdown(1000)
    assert.same({ onConnect = 1, onDisconnect = 1, onMessage = 1, onSend = 1, onRoomJoin = 1, onRoomLeave = 1,
      onShutdown = 1 }, told)
    local hooks = {}
    for i, entry in ipairs(errors) do
      assert.matches("plugin_spec.lua:%d+: boom", entry[1])
      assert.equal(entry[3] ~= "onShutdown" and socket.id or nil, entry[2])
      hooks[i] = entry[3]
    end
    assert.same({ "onConnect", "onMessage", "onRoomJoin", "onRoomLeave", "onSend", "onDisconnect", "onShutdown" },
      hooks)
    assert.equal(7, raised)
  end)

  it("hears the errors of handlers", function()
    local errors = {}
    server:register(plugin("x", { onError = function(err, client, what)
      errors[#errors + 1] = { err.message, client.id, what }
    end }))
    server:on("bad", boom)
    local client, socket = support.connect(server)
    client:request "bad"
    support.eventually(function()
      return errors[1]
    end)
    assert.matches("plugin_spec.lua:%d+: boom", errors[1][1])
    assert.same({ socket.id, "bad" }, { errors[1][2], errors[1][3] })
  end)

  it("holds up a client's entrance where onConnect waits", function()
    local left, told = support.record(server, "disconnection"), {}
    server:register(plugin("slow", {
      onConnect = function(client)
        painda.sleep(client.handshake.query.long and 1e6 or 30)
      end,
      onDisconnect = function(_, reason)
        told[#told + 1] = reason
      end,
    }))
    server:on("connection", function(client)
      client:on("ask", function(payload, ack)
        ack(nil, payload)
      end)
    end)
    local client = painda.PPClient { url = support.url(server), reconnect = false }
    support.event(client, "open")
    assert.equal(0, #server:getClients())
    assert.equal(1, client:request("ask", 1)) -- waits for the handler that answers it
    assert.equal(1, #server:getClients())

    local impatient = painda.PPClient { url = support.url(server) .. "?long=1", reconnect = false }
    support.event(impatient, "open")
    impatient:close()
    support.eventually(function()
      return told[1]
    end)
    assert.same({ "client disconnect" }, told)
    assert.equal(0, #left)
    client:close()
  end)

  it("has no more than maxPendingMessages of a client waiting", function()
    server:close()
    server = support.server { maxPendingMessages = 3 }
    local waiting = {}
    server:register(plugin("slow", { onMessage = function()
      local waiter = task.waiter()
      waiting[#waiting + 1] = waiter
      waiter:wait()
    end }))
    server:on("ask", function(_, payload, ack)
      ack(nil, payload)
    end)
    local client = support.connect(server)
    client:on("serverError", function() end)
    local answers, refused = 0, nil
    for i = 1, 4 do
      client:emit("ask", i, function(err)
        answers = answers + (err and 0 or 1)
        refused = refused or err
      end)
    end
    support.eventually(function()
      return refused
    end)
    assert.equal("more than 3 messages wait (maxPendingMessages)", refused.message)
    for i = 1, 3 do
      waiting[i]:wake()
    end
    support.eventually(function()
      return answers == 3
    end)
    client:close()
  end)

  it("may wait", function()
    server:register(plugin("slow", { onMessage = function(_, msg)
      painda.sleep(5)
      return msg.payload ~= "no"
    end }))
    server:on("ask", function(_, payload, ack)
      ack(nil, payload)
    end)
    local client = support.connect(server)
    assert.equal("yes", client:request("ask", "yes"))
    assert.is_nil((client:request("ask", "no")))
  end)
end)
