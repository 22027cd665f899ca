-- The application that the protocol tests talk to. Options of its server come as Lua source in $LAB; what happens
-- inside is told on stdout, one line `say [kind, …]` in JSON an event, unless $LAB_QUIET is set.

local painda = require "painda"
local json = require "painda.json"

io.stdout:setvbuf "no"

local quiet = os.getenv "LAB_QUIET"
local function say(...)
  if not quiet then
    print("say " .. json.encode { ... })
  end
end

local function text(err)
  return err and { message = err.message, code = err.code } or painda.null
end

local options = assert(loadstring("local painda, say = ... return {" .. (os.getenv "LAB" or "") .. "}"))(painda, say)
if not options.host or not options.host:find "^unix:" then
  options.port = 3000
end

local XY = { { name = "x", type = "int16" }, { name = "y", type = "int16" } }
local XYZ = { XY[1], XY[2], { name = "z", type = "int16" } }
local function upgrade(from, value)
  if from == 1 then
    value.z = 100
    return value
  end
end

options.registry = painda
  .PPSchemaRegistry()
  :register("move", painda.structSerializer(7, { { name = "x", type = "float32" }, { name = "y", type = "float32" } }))
  :register("point", 2, painda.structSerializer(8, XYZ, { previous = { XY }, upgrade = upgrade }))
  :register("note", painda.stringSerializer(9))
  :register("blob", painda.bufferSerializer(10))
  :register("meta", painda.jsonSerializer(11))
  :register("file", painda.mixedSerializer(12, "data"))

local server = painda.PPServer(options)

-- --- what happened ---

server:on("disconnection", function(client, reason, code)
  say("gone", client.id, reason, code)
end)

server:on("error", function(err, client, mtype)
  say("error", text(err), client and client.id or painda.null, mtype or painda.null)
end)

-- --- handlers for every client ---

server:on("echo", function(client, payload, ack)
  client:emit("echo", payload)
  ack(nil, payload)
end)

for _, name in ipairs { "move", "point", "note", "blob", "meta", "file" } do
  server:on(name, function(client, payload, ack)
    client:emit(name, payload)
    ack(nil, payload)
  end)
end

server:on("as-json", function(client, payload) -- a schema's type that asks for an ack travels as JSON
  client:emit(payload.type, payload.payload, function() end)
end)

server:on("who", function(client, _, ack)
  ack(nil, client.id)
end)

server:on("stats", function(_, _, ack)
  ack(nil, server:getStats())
end)

server:on("handshake", function(client, _, ack)
  local h = client.handshake
  ack(nil, { path = h.path, query = h.query, headers = h.headers, address = h.address, port = h.port, secure = h.secure,
    token = h.token or painda.null })
end)

server:on("shout", function(client, payload)
  server:broadcast({ type = "shout", payload = payload }, client)
end)
server:on("shout-by-id", function(client, payload)
  server:broadcast({ type = "shout", payload = payload }, client.id)
end)
server:on("shout-others", function(client, payload)
  client.broadcast:emit("shout", payload)
end)
server:on("shout-all", function(_, payload)
  server:emit("shout", payload)
end)

server:on("mark", function(client)
  say("mark", client.id)
end)

-- --- a test of its own each ---

server:on("connection", function(client)
  say("open", client.id, client.handshake.address)
  client:on("disconnect", function(reason, code)
    say("disconnect", client.id, reason, code)
  end)

  client:on("close-me", function(payload)
    payload = payload ~= painda.null and payload or {}
    client:close(payload.code, payload.reason)
  end)
  client:on("close-and-send", function()
    client:close()
    local ok, err = client:emit("late", 1)
    say("sent to closed", ok or painda.null, err, client:request("late", 1) or painda.null)
  end)
  client:on("send-after-gone", function()
    client:on("disconnect", function()
      local ok, err = client:emit("late")
      local ok2, err2 = client:sendRaw "bytes"
      local ok3, err3 = client:send { type = "late" }
      local answer, err4 = client:request "late"
      say("sent to gone", { ok or painda.null, err }, { ok2 or painda.null, err2 }, { ok3 or painda.null, err3 },
        { answer or painda.null, text(err4) })
    end)
  end)

  client:on("raise", function()
    error "on purpose"
  end)
  client:on("raise-text", function(payload)
    error(payload, 0)
  end)
  client:on("raise-error", function()
    error(painda.Error("with a code", "ROOM_ERROR"))
  end)
  client:on("raise-later", function()
    painda.sleep(1)
    error "on purpose, later"
  end)
  client:on("yield", function()
    coroutine.yield()
  end)
  client:on("generator", function(_, ack) -- a coroutine of the handler's own is its own business
    local next_value = coroutine.wrap(function()
      for i = 1, 3 do
        coroutine.yield(i)
      end
    end)
    ack(nil, { next_value(), next_value(), next_value() })
  end)
  client:on("sleep-in-sort", function()
    table.sort({ 3, 1, 2 }, function(a, b)
      painda.sleep(1)
      return a < b
    end)
  end)
  client:on("sleep-in-gsub", function()
    string.gsub("abc", ".", function()
      painda.sleep(1)
    end)
  end)
  client:on("sleep-in-coroutine", function()
    local ok, err = coroutine.resume(coroutine.create(function()
      painda.sleep(1)
    end))
    assert(not ok)
    error(err, 0)
  end)
  client:on("sleep", function(ms, ack)
    say("sleeping", client.id)
    painda.sleep(ms)
    say("slept", client.id, client:emit("slept") or painda.null)
    ack(nil, "slept")
  end)
  client:on("sleep-over-disconnect", function()
    local gone = false
    client:on("disconnect", function()
      gone = true
    end)
    say("waiting", client.id)
    while not gone do
      painda.sleep(1)
    end
    local ok, err = client:emit("late")
    say("woke after disconnect", ok or painda.null, err, client.id)
  end)

  client:on("reply-error", function(_, ack)
    ack(painda.Error("refused", "AUTH_ERROR"))
  end)
  client:on("reply-string", function(_, ack)
    ack("plain refusal")
  end)
  client:on("reply-twice", function(_, ack)
    ack(nil, "first")
    ack(nil, "second")
    ack("third")
  end)
  client:on("reply-nothing", function(_, ack)
    ack()
  end)
  client:on("reply-nan", function(_, ack)
    ack(nil, { x = 0 / 0 })
  end)
  client:on("emit-nan", function()
    client:emit("nan", { a = { 1, 0 / 0 } })
  end)
  client:on("emit-protocol", function()
    client:emit("__pp_session", { sid = "forged" })
  end)
  client:on("broadcast-protocol", function()
    server:broadcast { type = "__pp_shutdown", payload = {} }
  end)

  client:on("ask", function(payload) -- {type, timeout, times}
    local socket = payload.timeout and client:timeout(payload.timeout) or client
    socket:emit(payload.type or "question", payload.payload, function(err, response)
      say("answered", text(err), response == nil and "nothing" or response)
      client:emit("answered", { err = text(err), response = response == nil and "nothing" or response })
    end)
  end)
  client:on("request", function(payload, ack)
    local response, err = client:request("question", payload)
    ack(nil, { response = response == nil and "nothing" or response, err = text(err) })
  end)
  client:on("ask-much", function(count)
    local ok, err
    for _ = 1, count do
      ok, err = pcall(client.emit, client, "question", nil, function(failed)
        say("much", text(failed))
      end)
    end
    client:emit("asked", { ok = ok, err = not ok and tostring(err) or painda.null })
  end)

  client:on("raw", function(payload)
    client:sendRaw(payload)
    client:sendRaw(payload, true)
  end)
  client:on("big", function(size)
    client:emit("big", ("x"):rep(size))
  end)
  client:on("flood", function(count)
    for i = 1, count do
      client:emit("flood", i)
    end
  end)

  client:on("error", function(err, mtype)
    say("client error", client.id, text(err), mtype)
  end)

  client:once("once", function(payload)
    client:emit("once", payload)
  end)
  client:on("fields", function(_, _, msg)
    local ack, ns = msg.__ackId or painda.null, msg.__ns or painda.null
    client:emit("fields", { type = msg.type, payload = msg.payload, ack = ack, ns = ns })
  end)

  local function any(mtype, payload)
    if mtype ~= "any-off" then
      client:emit("any", { type = mtype, payload = payload })
    end
  end
  client:on("any-on", function()
    client:onAny(any)
  end)
  client:on("any-off", function()
    client:offAny(any)
  end)

  local function counted()
    client:emit "counted"
  end
  client:on("counted", counted)
  client:on("counted-off", function()
    client:off("counted", counted)
  end)

  client:on("message-on", function()
    client:on("message", function(msg)
      client:emit("heard", msg.type)
    end)
  end)

  client:on("tags", function(_, ack)
    client:setTag("team", "red"):setTag "vip"
    local before = client:getAllTags()
    client:removeTag "vip"
    ack(nil, { before = before, team = client:getTag "team", has = client:hasTag "vip",
      found = #server:getClientsByTag("team", "red"), other = #server:getClientsByTag("team", "blue") })
  end)
  client:on("remember", function(payload)
    client.data.memory = payload
  end)
  client:on("recall", function(_, ack)
    ack(nil, client.data.memory)
  end)
end)

local function once_for_all(client, payload)
  client:emit("server-once", payload)
end
server:once("server-once", once_for_all)

local function server_any(client, mtype, payload)
  if mtype == "seen-by-any" then
    client:emit("server-any", payload)
  end
end
server:onAny(server_any)
server:on("server-any-off", function(_, _, ack)
  server:offAny(server_any)
  ack(nil, true)
end)

for _, name in ipairs { "connection", "reload", "roomJoin", "roomLeave" } do
  server:on(name, function(client)
    say("event", name, type(client) == "table" and client.id or client)
  end)
end
server:on("close", function()
  say "server closed"
end)
