-- Rock, paper, scissors against people, and against bots where nobody else is there.
local painda = require "painda"
local bots = require "bots"
local game = require "game"

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, { maxPayload = 4096, maxMessagesPerSecond = 20 })

game.serve(server, painda.state("game", game.new), function()
  bots.send(server)
end, bots.is_bot)
