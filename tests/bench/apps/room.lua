-- The row "room": the first 9,000 that connect stay outside, the others join; what one sends, the room receives.
local painda = require "painda"
local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }

local OUTSIDE = 9000
local connected = 0

server:on("connection", function(client)
  connected = connected + 1
  if connected > OUTSIDE then
    client:join "room"
  end
  client:on("message", function(msg)
    server:to("room"):send(msg)
  end)
end)
