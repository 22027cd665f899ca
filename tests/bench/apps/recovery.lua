-- The row "recovery": the broadcast of broadcast.lua, where each message is kept for who may come back.
local painda = require "painda"
local server = painda.PPServer {
  port = 3000,
  heartbeat = false,
  maxConnectionsPerIp = 100000,
  maxPendingPerIp = 0,
  recovery = true,
}

server:on("connection", function(client)
  client:on("message", function(msg)
    server:broadcast(msg)
  end)
end)
