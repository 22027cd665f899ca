-- Cursors: everybody on the page sees where the others point. server.presence does the work: who is there, what
-- changed, told once an interval however fast the hands are.
--
-- What the page sends                       What it gets
--   hello {name}   → ack {id, hue}            __pp_presence, then __pp_presence_diff: data is {name, hue, x, y}
--   move {x, y}    from 0 to 1
local painda = require "painda"

local NAME = 24 -- characters at most

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, {
  maxPayload = 4096,
  maxMessagesPerSecond = 60,
  presence = { syncInterval = 40, syncMode = "diff", maxMetadataSize = 256, maxTracked = 500 },
})
local presence = server.presence

local state = painda.state("cursors", { visitors = 0 }) -- stays when this file is saved with --watch

-- The text between the spaces around it, where it is 1 to `most` characters long; else nil.
local function tidy(text, most)
  text = type(text) == "string" and text:match "^%s*(.-)%s*$" or ""
  local _, length = text:gsub("[^\128-\191]", "") -- every character has one byte that does not continue another
  return length > 0 and length <= most and not text:find "%c" and text or nil
end

local function place(value)
  return type(value) == "number" and value >= 0 and value <= 1
end

server:on("hello", function(client, payload, ack)
  local name = tidy(type(payload) == "table" and payload.name, NAME)
  if not name then
    return ack(painda.Error(("a name has 1 to %d characters"):format(NAME), "BAD_NAME"))
  end
  state.visitors = state.visitors + 1
  local hue = state.visitors * 137 % 360 -- far from the one before
  local tracked, why = presence:track(client, { name = name, hue = hue })
  if not tracked then
    return ack(painda.Error(why, "FULL"))
  end
  ack(nil, { id = client.id, hue = hue })
end)

server:on("move", function(client, payload)
  if type(payload) == "table" and place(payload.x) and place(payload.y) then
    presence:update(client, { x = payload.x, y = payload.y }) -- of one who has not said hello, nothing comes
  end
end)
