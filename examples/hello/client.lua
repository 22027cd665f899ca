-- Greets the server of app.lua, prints its answer and ends. PAINDA_URL names another server than the one on port 3000.
local painda = require "painda"

local client = painda.PPClient { url = os.getenv "PAINDA_URL" or "ws://localhost:3000" }

client:once("open", function()
  client:emit("greet", "Hello")
end)

client:on("hello", function(payload)
  print("server says", payload)
  client:close()
end)

client:on("disconnect", function()
  os.exit()
end)
