-- The row "relay": the message goes back without anyone having read its payload.
local painda = require "painda"
local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }

server:on("connection", function(client)
  client:on("message", function(msg)
    client:send(msg)
  end)
end)
