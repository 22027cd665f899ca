-- The rows "reload": an application of a thousand handlers, each a function of its own, that a thousand clients are
-- connected to.
local painda = require "painda"

local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }
local loads = painda.state "loads"
loads.n = (loads.n or 0) + 1

local HANDLER = [[
server:on("typeN", function(client, payload, ack)
  local data = client.data
  data.countN = (data.countN or 0) + 1
  if payload.to then
    client:to("roomN"):emit("moved", { id = client.id, x = payload.x, y = payload.y })
  end
  ack(nil, { n = payload.n, load = load })
end)
]]
local text = { "local server, load = ...\n" }
for i = 1, 1000 do
  text[#text + 1] = HANDLER:gsub("N", i)
end
loadstring(table.concat(text), "=handlers")(server, loads.n)

server:on("connection", function(client)
  client:on("move", function(payload)
    client:to("all"):emit("moved", payload)
  end)
  client:on("disconnect", function()
    client.data.gone = true
  end)
  client:join "all"
end)
