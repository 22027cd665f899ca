-- The rows "reload": an application of a thousand handlers, each a function of its own, that a thousand clients are
-- connected to. The handlers are in a file, which is written at the start and grows by a line before each load: it is
-- compiled anew.
local painda = require "painda"

local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }
local kept = painda.state "kept"

local HANDLER = [[
server:on("typeN", function(client, payload, ack)
  local data = client.data
  data.countN = (data.countN or 0) + 1
  if payload.to then
    client:to("roomN"):emit("moved", { id = client.id, x = payload.x, y = payload.y })
  end
  ack(nil, { n = payload.n, load = loads })
end)
]]

if not kept.path then
  kept.loads, kept.path = 0, os.tmpname()
  local handlers = assert(io.open(kept.path, "w"))
  for i = 1, 1000 do
    handlers:write((HANDLER:gsub("N", i)))
  end
  handlers:close()
end
local file = assert(io.open(kept.path, "a"))
file:write "-- changed\n"
file:close()
kept.loads = kept.loads + 1
_G.server, _G.loads = server, kept.loads
dofile(kept.path)
server:on("close", function()
  os.remove(kept.path)
end)

server:on("connection", function(client)
  client:on("move", function(payload)
    client:to("all"):emit("moved", payload)
  end)
  client:on("disconnect", function()
    client.data.gone = true
  end)
  client:join "all"
end)
