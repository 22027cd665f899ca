-- The row "broadcast": what one sends, all receive.
local painda = require "painda"
local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }

server:on("connection", function(client)
  client:on("message", function(msg)
    server:broadcast(msg)
  end)
end)
