-- {{NAME}}: a chat. The page is in public/, what happens in the room is chat.lua.
local painda = require "painda"
local chat = require "chat"

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, { maxPayload = 16384, maxMessagesPerSecond = 20 })

-- Outlives reloads: save a file while people chat, and nobody notices.
chat.serve(server, painda.state("history", painda.array))
