-- Whatever is handed to a function of the API: what it raises is said in its own words, and blames the line that called
-- it, not one of the runtime.

local painda = require "painda"
local api = require "painda.api"
local Error = require "painda.error"
local support = require "support"

local HERE = "tests/spec/misuse_spec.lua"
local THREAD = coroutine.create(function() end)

-- What nobody should hand to anything, and what may be right here and there.
local VALUES = {
  0 / 0, -1, 1e300, 1.5, true, false, "", "a", "\0", "\255", ("x"):rep(300), {}, { 1 }, { a = { b = print } },
  { type = 1 }, { nonsense = true }, print, function() end, painda.null, painda.array {}, THREAD, io.stdout,
  setmetatable({}, { __metatable = 1 }),
}

-- A wrong text: raised by Lua itself, or at a line of the runtime.
local function is_wrong(raised)
  local text = tostring(raised)
  if text:find("attempt to ", 1, true) or text:find("bad argument", 1, true) then
    return true
  end
  local elsewhere = type(raised) == "string" and text:sub(1, #HERE + 1) ~= HERE .. ":"
  return elsewhere or text:find "painda/[%w_/]+%.lua:%d+:" ~= nil
end

local function show(value)
  return type(value) == "string" and ("%q"):format(value:sub(1, 20)) or tostring(value)
end

local wrong

local function try(what, fn, ...)
  local count, arguments = select("#", ...), { ... }
  local ok, raised = pcall(function()
    local result = fn(unpack(arguments, 1, count)) -- no tail call: this line is the caller's
    return result
  end)
  if not ok and is_wrong(raised) then
    local shown = {}
    for i = 1, count do
      shown[i] = show(arguments[i])
    end
    wrong[#wrong + 1] = ("%s(%s): %s"):format(what, table.concat(shown, ", "), tostring(raised))
  end
end

-- A method that is called with a dot says so, at the line that did, and how it is called; so does a function of a
-- module that is called with a colon.
local function try_mark(told, fn, ...)
  local count, arguments = select("#", ...), { ... }
  local ok, raised = pcall(function()
    local result = fn(unpack(arguments, 1, count)) -- no tail call
    return result
  end)
  if ok or is_wrong(raised) or not tostring(raised):find(told, 1, true) then
    wrong[#wrong + 1] = ("%s, where it was to be: %s"):format(tostring(raised), told)
  end
end

local function try_with_dot(what, fn)
  local told = ("call it with a colon: %s(…)"):format(what)
  try_mark(told, fn)
  for i = 1, #VALUES do
    try_mark(told, fn, VALUES[i])
    try_mark(told, fn, VALUES[i], function() end)
  end
end

-- Hands everything to a function: alone, behind a name that is right, and before a function that is.
local function misuse(what, fn, ...)
  local self, count = { ... }, select("#", ...)
  local function call(...)
    local arguments, n = { unpack(self, 1, count) }, count
    for i = 1, select("#", ...) do
      n = n + 1
      arguments[n] = (select(i, ...))
    end
    try(what, fn, unpack(arguments, 1, n))
  end
  call()
  for i = 1, #VALUES do
    local value = VALUES[i]
    call(value)
    call("name", value)
    call("name", {}, value)
    call(value, function() end)
    call("name", function() end, value)
  end
  call(nil, nil, nil)
end

local function assert_none_wrong()
  local shown = {}
  for i = 1, math.min(#wrong, 40) do
    shown[i] = wrong[i]
  end
  assert(#wrong == 0, #wrong .. " errors that blame the runtime:\n" .. table.concat(shown, "\n"))
end

-- The public functions of a table, by name.
local function functions_of(methods)
  local names = {}
  for name, value in pairs(methods) do
    if type(value) == "function" and not name:find "^_" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- --- what is misused ---

local ENDS = {
  close = true, gracefulShutdown = true, dispose = true, request = true, fetch = true, disconnectSockets = true,
}

local function misuse_methods(what, object, methods, left_out)
  for _, name in ipairs(functions_of(methods)) do
    if not ENDS[name] and not (left_out and left_out[name]) then
      misuse(what .. ":" .. name, methods[name], object)
    end
  end
end

describe("misuse", function()
  local server, client, socket

  before_each(function()
    wrong = {}
    server = support.server()
    server:on("connection", function(connected)
      socket = connected
    end)
    client = painda.PPClient { url = support.url(server), reconnect = false }
    support.event(client, "connect")
    support.eventually(function()
      return socket
    end, "the connection")
  end)

  after_each(function()
    client:close()
    server:close()
    socket = nil
  end)

  it("of a dot for a colon is said by every method of every class", function()
    for _, module in ipairs { "gaming", "http", "testing", "PPVirtualClient", "HttpServer", "schema", "after" } do
      local _ = painda[module]
    end
    require "painda.metrics"
    local shown = {}
    for _, class in api.each() do
      shown[class.shown] = true
      for _, name in ipairs(functions_of(class.methods)) do
        try_with_dot(class.shown .. ":" .. name, class.methods[name])
      end
    end
    for _, known in ipairs {
      "server", "client", "socket", "namespace", "to(room)", "server.presence", "room", "http", "req", "res", "ctx",
      "timer", "schema", "state", "metrics", "env", "clock", "list", "client:timeout(ms)",
    } do
      assert.is_true(shown[known], known)
    end
    assert_none_wrong()
  end)

  it("of a colon for a dot is said by every function of every module", function()
    local modules = {
      painda = painda, ["painda.json"] = painda.json, ["painda.log"] = painda.log, ["painda.http"] = painda.http,
      ["painda.gaming"] = painda.gaming, ["painda.testing"] = painda.testing, ["painda.PPServer"] = painda.PPServer,
    }
    for _, name in ipairs {
      "HttpServer", "Error", "sleep", "after", "every", "state", "on_unload", "PPVirtualClient", "PPClient",
      "PPSchemaRegistry", "schema", "map", "list", "text", "quantized", "decodeSchema", "structSerializer",
      "jsonSerializer", "stringSerializer", "bufferSerializer", "mixedSerializer", "array", "spawn", "reload",
    } do
      assert.is_function(painda[name], name)
    end
    for shown, module in pairs(modules) do
      for _, name in ipairs(functions_of(module)) do
        try_mark(("call it with a dot: %s.%s(…)"):format(shown, name), module[name], module, {})
      end
    end
    try_mark("call it with a dot: painda.PPServer(…)", painda.PPServer, painda, { port = 0 })
    assert_none_wrong()
  end)

  it("that nobody would notice raises", function()
    local cases = {
      { "server:off takes the name of an event, a string that is not empty, not 5", server.off, server, 5 },
      { 'server:off("x", …) takes the function that listens, or nothing for all, not 7', server.off, server, "x", 7 },
      { "client:off takes the name of an event, a string that is not empty, not 5", socket.off, socket, 5 },
      { "client:off takes the name of an event, a string that is not empty, not nil", client.off, client },
      { "server:getRoom takes the id of a room, a string that is not empty, not 5", server.getRoom, server, 5 },
      { "server:deleteRoom takes the id of a room, a string that is not empty, not nil", server.deleteRoom, server },
      { "server:hasPlugin takes the name of a plugin, a string that is not empty, not 5", server.hasPlugin, server, 5 },
      { 'server:on: "__pp_x" is never told', server.on, server, "__pp_x", print },
      { "client:removeTag takes the name of a tag, a string that is not empty, not 5", socket.removeTag, socket, 5 },
      { "PPSchemaRegistry takes nothing, and was given 5", painda.PPSchemaRegistry, 5 },
      { "StateManager takes the state, a table, not 5", painda.gaming.StateManager, 5 },
      { "PPClient takes a table of options after the address, not 5", painda.PPClient, client.url, 5 },
      { "painda.log.info takes a text and a table of fields, and was given \"y\"", painda.log.info, "x", "y" },
      { "painda.log.set_level takes debug, info, warn, error or silent, not nil", painda.log.set_level },
      { "createTestEnv takes a table of options, not 5", require("painda.testing").createTestEnv, 5 },
      { 'painda.sleep takes milliseconds from 0 to 1e12, not "100"', painda.sleep, "100" },
      { 'server:on takes the name of an event, a string that is not empty, not ""', server.on, server, "", print },
      { "server:onAny takes a function, not nil", server.onAny, server },
      { "presence:onChange takes a function, not nil", server.presence.onChange, server.presence },
      { "server:in_ takes the name of a room", server.in_, server },
      { "server:broadcastToTag takes a message {type = …, payload = …}", server.broadcastToTag, server, "t" },
      { "disconnectSockets takes a code of 1000", server:to("x").disconnectSockets, server:to "x", true },
      { "client:close takes a reason that is a string, not a table", socket.close, socket, 1000, {} },
      { "schema:delta takes a state that this schema has made, not a table", function()
        local schema = painda.schema { n = "uint8" }
        local delta = schema:delta {}
        return delta
      end },
      { 'namespaceOverrides" has names of namespaces as keys', painda.PPServer,
        { port = 0, rateLimit = { namespaceOverrides = { game = {} } } } },
    }
    for _, case in ipairs(cases) do
      try_mark(case[1], unpack(case, 2, 6))
    end
    assert_none_wrong()
  end)

  it("with what can't be sent raises where it was to be sent, and says what it was", function()
    local cases = {
      { "server:emit takes the type of a message, a string that is not empty, not 5", server.emit, server, 5 },
      { "server:emit takes the type of a message, a string that is not empty, not nil", server.emit, server },
      { "server:emit takes the type of a message, a string that is not empty, not a table", server.emit, server, {} },
      { "server:broadcast takes the type of a message", server.broadcast, server, {} },
      { "namespace:broadcast takes a message", server:of("/x").broadcast, server:of "/x", 5 },
      { "emit takes the type of a message", server:of("/x").emit, server:of "/x", 5 },
      { "emitDelta: next: a function", server:to("x").emitDelta, server:to "x", "x", 1, print },
      { "client:emit takes the type of a message", socket.emit, socket, 5 },
      { "client:request takes the type of a message", socket.request, socket, 5 },
      { "types that begin with __pp_ belong to the protocol", socket.request, socket, "__pp_x" },
      { "payload", socket.request, socket, "x", print },
      { "payload", client.request, client, "x", print },
      { "payload", client.emit, client, "x", print },
      { "payload", client:timeout(5).request, client:timeout(5), "x", print },
      { "payload", socket:timeout(5).emit, socket:timeout(5), "x", print, print },
    }
    for _, case in ipairs(cases) do
      local ok, err = pcall(function()
        local result = case[2](unpack(case, 3, 7))
        return result
      end)
      assert.is_false(ok, case[1])
      assert.matches(case[1], tostring(err), 1, true)
      assert.matches("^" .. HERE:gsub("%p", "%%%0") .. ":%d+: ", Error.report(err), case[1])
    end
  end)

  it("of a server is blamed on its line", function()
    misuse_methods("server", server, getmetatable(server).__index)
    assert_none_wrong()
  end)

  it("of a client's socket is blamed on its line", function()
    misuse_methods("client", socket, require("painda.socket").Socket)
    assert_none_wrong()
  end)

  it("of a namespace is blamed on its line", function()
    misuse_methods("namespace", server:of "/x", require("painda.namespace").Namespace)
    assert_none_wrong()
  end)

  it("of a target is blamed on its line", function()
    misuse_methods("target", server:to "room", require("painda.target").Target)
    assert_none_wrong()
  end)

  it("of presence is blamed on its line", function()
    misuse_methods("presence", server.presence, getmetatable(server.presence).__index)
    assert_none_wrong()
  end)

  it("of a typed room is blamed on its line", function()
    misuse_methods("room", server:room("typed", {}), require("painda.typed_room").Room)
    assert_none_wrong()
  end)

  it("of a PPClient is blamed on its line", function()
    local methods = {}
    for name, method in pairs(require("painda.client.scope").Scope) do
      methods[name] = method
    end
    for name, method in pairs(getmetatable(client).__index) do
      methods[name] = method
    end
    misuse_methods("client", client, methods)
    assert_none_wrong()
  end)

  it("of an HTTP server is blamed on its line", function()
    local http = painda.HttpServer { port = 0 }
    misuse_methods("http", http, getmetatable(http).__index, { attach = true })
    http:close()
    assert_none_wrong()
  end)

  it("of what painda has itself is blamed on its line", function()
    local names = {
      "PPServer", "PPClient", "HttpServer", "after", "every", "spawn", "state", "schema", "map", "list", "text",
      "quantized", "on_unload",
    }
    for _, name in ipairs(names) do
      local fn = painda[name]
      misuse("painda." .. name, function(...)
        local made = fn(...)
        if type(made) == "table" and type(made.close) == "function" then
          made:close()
        elseif type(made) == "table" and type(made.cancel) == "function" then
          made:cancel()
        end
        return made
      end)
    end
    assert_none_wrong()
  end)
end)
