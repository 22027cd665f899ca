-- The row "memory": a connection handler and one listener per connection, and silence.
local painda = require "painda"
local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }

server:on("connection", function(client)
  client:on("message", function(msg)
    client.data.last = msg.type
  end)
end)
