-- The row "echo": every payload is decoded, handed to Lua and encoded again.
local painda = require "painda"
local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }

server:on("connection", function(client)
  client:on("echo", function(payload)
    client:emit("echo", payload)
  end)
end)
