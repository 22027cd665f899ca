-- Says hello, and answers those who do.
local painda = require "painda"

local _M = {}

function _M.serve(server)
  server:on("connection", function(client)
    client:emit("welcome", { clients = #server:getClients() })
  end)

  server:on("hello", function(client, payload, ack)
    if type(payload) ~= "string" or payload == "" then
      return ack(painda.Error("hello takes a name", "BAD_NAME"))
    end
    client.data.name = payload
    ack(nil, "Hello, " .. payload)
  end)
end

return _M
