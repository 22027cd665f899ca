-- The application of test_middleware.py and test_namespaces.py: what its middleware does stands in the query
-- (?do=gate&name=x) or in the type of a message. Options of its server come as Lua source in $LAB, what happens is told
-- as `say [kind, …]`, both as in lab.lua.

local painda = require "painda"
local json = require "painda.json"

io.stdout:setvbuf "no"

local function say(...)
  print("say " .. json.encode { ... })
end

local options = assert(loadstring("local say = ... return {" .. (os.getenv "LAB" or "") .. "}"))(say)
options.port = 3000
local server = painda.PPServer(options)

local gates = painda.state("gates", {}) -- name → next: opened by the message "open"

local actions = {
  gate = function(next, name)
    gates[name] = next
    say("gate", name)
  end,
  refuse = function(next)
    next "refused on purpose"
  end,
  raise = function()
    error "raised on purpose"
  end,
  forever = function()
    painda.sleep(1e9)
  end,
  lose = function() end,
  twice = function(next)
    next()
    next "again"
  end,
  sleep = function(next, ms)
    painda.sleep(tonumber(ms))
    next()
  end,
}

server:use(function(socket, next)
  local query = socket.handshake.query
  local action = actions[query["do"]]
  if action then
    return action(next, query.name)
  end
  next()
end)

server:useMessage(function(_, message, next)
  local action = actions[message.type:match "^mw%-(%w+)$"]
  if action then
    return action(next, message.payload)
  end
  next()
end)

server:on("connection", function(client)
  say("connection", client.id, client.reloaded or false)
end)
server:on("disconnection", function(client, reason, code)
  say("disconnection", client.id, reason, code)
end)
server:on("error", function(err, client, mtype)
  say("error", err.message, client.id, mtype or painda.null)
end)

server:on("open", function(_, name, ack)
  gates[name]()
  ack(nil, true)
end)
server:on("open-and-refuse", function(_, name, ack)
  gates[name] "refused at last"
  ack(nil, true)
end)
server:on("who", function(client, _, ack)
  ack(nil, client.id)
end)
server:on("echo", function(_, payload, ack)
  ack(nil, payload)
end)
server:on("log", function(_, payload)
  say("log", payload)
end)
server:on("token", function(client, _, ack)
  ack(nil, client.handshake.token or painda.null)
end)
server:on("stats", function(_, _, ack)
  ack(nil, server:getStats())
end)
server:on("clients", function(_, _, ack)
  ack(nil, #server:getClients())
end)
server:on("news", function(_, payload, ack)
  ack(nil, server:emit("news", payload))
end)
server:onAny(function(_, mtype)
  if mtype:match "^mw%-" then
    say("handled", mtype)
  end
end)

-- --- namespaces ---

local chat = server:of "/chat"
chat:on("connection", function(socket)
  say("joined chat", socket.id, socket.reloaded)
  painda.state("chatting", {})[socket.id] = socket
  socket:on("secret question", function(_, ack)
    local answer, err = socket:request "question"
    ack(err, answer)
  end)
end)
chat:on("disconnection", function(socket, reason)
  say("left chat", socket.id, reason)
end)
chat:on("echo", function(msg, ack)
  ack(nil, msg.payload)
end)
chat:on("news", function(msg, ack, socket)
  ack(nil, chat:broadcast(msg, socket))
end)
server:on("tell chat", function(_, id, ack) -- by the socket that it had
  ack(nil, painda.state("chatting")[id]:emit("told", "by name") or false)
end)
server:on("ask chat", function(_, id, ack)
  local answer, err = painda.state("chatting")[id]:request "question"
  ack(err, answer)
end)
chat:on("leave", function(_, ack, socket)
  socket:disconnect()
  ack(nil, true)
end)
chat:on("roomLeave", function(socket, name)
  say("left a room", socket.id, name)
end)
chat:on("join", function(msg, ack, socket)
  ack(nil, socket:join(msg.payload))
end)
chat:on("members", function(_, ack)
  ack(nil, #chat:getClients())
end)

local gated = server:of "/gated"
gated:use(function(socket, next)
  actions.gate(next, "ns " .. socket.id)
end)
gated:on("log", function(msg, ack)
  say("gated", msg.payload)
  ack(nil, msg.payload)
end)

