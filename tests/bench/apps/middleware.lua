-- Row "middleware": each message through three middlewares that sleep 10 ms each, and back.

local painda = require "painda"

local server = painda.PPServer { port = 3000, maxConnectionsPerIp = 0 }

for _ = 1, 3 do
  server:useMessage(function(_, _, next)
    painda.sleep(10)
    next()
  end)
end

server:on("echo", function(client, payload)
  client:emit("echo", payload)
end)
