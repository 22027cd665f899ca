-- The row "storm": thousands are cut at once and come back to their sessions. tests/bench/storm.py does the rest.
local painda = require "painda"
local server = painda.PPServer {
  port = 3000,
  heartbeat = false,
  maxConnectionsPerIp = 100000,
  maxPendingPerIp = 0,
  recovery = true,
}

server:on("connection", function(client)
  client:on("ping", function(_, ack)
    ack(nil, 1)
  end)
  client:on("all", function(payload)
    server:emit("echo", payload)
  end)
end)
