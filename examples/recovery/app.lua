-- Recovery: pull the cable, lose nothing. The server numbers its news and sends them to all; who loses the line and
-- comes back gets what was missed, in order, before what is new. All of that is the one option `recovery`: the handlers
-- below know nothing of it.
--
-- What the page gets                        What it sends
--   welcome {recovered}                       say {text}   → ack (nothing, or what is wrong)
--   news {n, text}   numbered without a gap
local painda = require "painda"

local INTERVAL = 250 -- ms between news
local LONGEST = 200 -- bytes that a visitor may say

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, {
  maxPayload = 4096,
  maxMessagesPerSecond = 20,
  recovery = { maxBufferSize = 1000, retentionMs = 120000 },
})

local state = painda.state("recovery", { n = 0 }) -- stays when this file is saved with --watch

local function publish(text)
  state.n = state.n + 1
  server:emit("news", { n = state.n, text = text })
end

server:on("connection", function(client)
  client:emit("welcome", { recovered = client.recovered })
end)

server:on("say", function(_, payload, ack)
  local text = type(payload) == "table" and payload.text
  if type(text) ~= "string" or text == "" or #text > LONGEST then
    return ack(painda.Error(("a message has 1 to %d bytes"):format(LONGEST), "BAD_TEXT"))
  end
  publish(text)
  ack()
end)

painda.every(INTERVAL, function()
  publish(os.date "%H:%M:%S")
end)
