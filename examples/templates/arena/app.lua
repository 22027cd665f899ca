-- {{NAME}}: a small arena. The page is in public/, the game is arena.lua.
local painda = require "painda"
local arena = require "arena"

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

arena.serve(painda.PPServer.attachTo(http, { maxPayload = 4096, maxMessagesPerSecond = 60 }))
