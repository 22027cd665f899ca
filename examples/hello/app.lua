local painda = require "painda"
local server = painda.PPServer { port = 3000 }

server:on("connection", function(client)
  client:on("message", function(msg)
    print("received", msg.type, msg.payload)
    client:emit("hello", "World")
  end)
end)
