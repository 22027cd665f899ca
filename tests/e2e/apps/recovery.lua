-- A server whose sessions are recovered. What happens inside is told on stdout, one line `say [kind, …]` in JSON an
-- event; more options of its PPServer come as Lua source in $LAB.

local painda = require "painda"
local json = require "painda.json"

io.stdout:setvbuf "no"

local function say(...)
  print("say " .. json.encode { ... })
end

local options = assert(loadstring("return {" .. (os.getenv "LAB" or "") .. "}"))()
if options.recovery == nil then
  options.recovery = true
end
options.port = options.port or 3000
options.registry = painda
  .PPSchemaRegistry()
  :register("move", painda.structSerializer(7, { { name = "x", type = "float32" } }))
local server = painda.PPServer(options)
local clients = painda.state "clients" -- id → client, also of those that are away

server:on("connection", function(client)
  clients[client.id] = client
  client.data.connections = (client.data.connections or 0) + 1
  say("connection", client.id, client.recovered, client.data.connections, client.recoveryFailure or painda.null)
  client:on("who", function(_, ack)
    ack(nil, client.id)
  end)
end)

server:on("disconnection", function(client, reason, code)
  say("gone", client.id, reason, code)
end)

server:on("roomLeave", function(client, room)
  say("left", room, client.id)
end)

-- --- what tests ask for ---

server:on("join", function(client, room, ack)
  client:join(room)
  client:setTag("mark", room)
  ack(nil, true)
end)

-- {to = id, count, from, volatile, text}: sends n = from, from + 1, … to one client, wherever it is.
server:on("tell", function(_, o, ack)
  local to, sent = clients[o.to], 0
  for n = o.from or 1, (o.from or 1) + (o.count or 1) - 1 do
    local payload = o.text and { n = n, text = o.text } or { n = n }
    if to:send({ type = o.type or "n", payload = payload }, { volatile = o.volatile }) then
      sent = sent + 1
    end
  end
  ack(nil, sent)
end)

server:on("plain", function(_, o, ack)
  ack(nil, clients[o.to]:emit("n", o.payload))
end)

server:on("raw", function(_, o, ack)
  ack(nil, clients[o.to]:sendRaw(o.bytes, o.text) or false)
end)

server:on("all", function(_, n, ack)
  ack(nil, server:emit("n", { n = n }))
end)

server:on("room", function(_, o, ack)
  ack(nil, server:to(o.room):emit("n", { n = o.n }))
end)

server:on("tagged", function(_, o, ack)
  ack(nil, server:broadcastToTag("mark", o.room, { type = "n", payload = { n = o.n } }))
end)

-- Asks a client that may be away, and tells what it answers.
server:on("ask", function(_, id, ack)
  clients[id]:emit("question", "?", function(err, answer)
    say("answer", err and err.code or painda.null, answer or painda.null)
  end)
  ack(nil, true)
end)

server:on("end", function(_, id, ack)
  clients[id]:close()
  ack(nil, true)
end)

server:on("state", function(_, id, ack)
  local client = clients[id]
  ack(nil, {
    closed = client.closed or false,
    tag = client:getTag "mark" or painda.null,
    connected = #server:getClients(),
    known = server:getClient(id) == client,
  })
end)

server:on("stats", function(_, _, ack)
  ack(nil, server:getStats())
end)

local said = 0
server:on("chat", function(client, payload)
  said = said + 1
  server:emit("chat", { from = client.id, n = said, name = payload.name, final = payload.final, text = payload.text })
end)
