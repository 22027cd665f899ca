-- The application of test_rooms.py: its clients say what is to be done, and are told in an ack what came of it. Options
-- of its server come as Lua source in $ROOMS.

local painda = require "painda"

local options = assert(loadstring("return {" .. (os.getenv "ROOMS" or "") .. "}"))()
options.port = 3000
options.registry = painda
  .PPSchemaRegistry()
  :register("move", painda.structSerializer(7, { { name = "n", type = "uint32" }, { name = "x", type = "float32" } }))
local server = painda.PPServer(options)

local events = painda.state("events", {})
server:on("roomJoin", function(client, name)
  events[#events + 1] = { "join", client.id, name }
end)
server:on("roomLeave", function(client, name)
  events[#events + 1] = { "leave", client.id, name }
end)

server:on("who", function(client, _, ack)
  ack(nil, client.id)
end)

server:on("join", function(client, rooms, ack)
  local ok, text, code = client:join(rooms)
  ack(not ok and painda.Error(text, code) or nil, ok)
end)

server:on("leave", function(client, rooms, ack)
  ack(nil, client:leave(rooms))
end)

server:on("rooms", function(client, _, ack)
  ack(nil, painda.array(client.rooms))
end)

-- {to, except, to_again: names or nothing, own: as the client's own, volatile, type, payload} → to how many
server:on("say", function(client, what, ack)
  local target = what.own and client.broadcast or server:except {}
  if what.to then
    target = target:to(what.to)
  end
  if what.except then
    target = target:except(what.except)
  end
  if what.volatile then
    target = target:volatile()
  end
  ack(nil, target:emit(what.type or "said", what.payload))
end)

server:on("flood", function(_, what, ack)
  local target, sent = server:to(what.to):volatile(), 0
  for _ = 1, what.count do
    sent = sent + target:emit("said", ("x"):rep(what.size))
  end
  ack(nil, { sent = sent, dropped = server:getStats().dropped })
end)

server:on("list", function(_, rooms, ack)
  local ids = {}
  for i, client in ipairs(server:to(rooms):fetchSockets()) do
    ids[i] = client.id
  end
  ack(nil, painda.array(ids))
end)

server:on("throw out", function(_, rooms, ack)
  ack(nil, server:to(rooms):disconnectSockets(4005, "thrown out"))
end)

server:on("events", function(_, _, ack)
  ack(nil, painda.array(events))
end)

server:on("stats", function(_, _, ack)
  ack(nil, server:getStats())
end)
