-- The row "history": idle.lua, but that each session's history is filled with messages to all.
local painda = require "painda"
local server = painda.PPServer {
  port = 3000,
  heartbeat = false,
  maxConnectionsPerIp = 100000,
  maxPendingPerIp = 0,
  recovery = true,
}
local CONNECTIONS, MESSAGES = 5000, 100
local connected = 0

server:on("connection", function(client)
  client:on("message", function(msg)
    client.data.last = msg.type
  end)
  connected = connected + 1
  if connected == CONNECTIONS then
    painda.after(100, function()
      for n = 1, MESSAGES do
        server:emit("echo", { n = n, text = ("x"):rep(64) })
      end
    end)
  end
end)
