-- Arena: a hundred bots and whoever comes run about, 60 times a second, and every window sees the same. The state is a
-- typed room's and declared: this file writes fields, and the room tells its members in a few bytes what became
-- different.
--
-- What the page sends                What it gets
--   hello            → ack {id}        the room in frames (?pp_caps=state): its schema, its state, a delta a tick
--   aim {x, y}       from 0 to 1000    info {tickMs, members}, once a second
local painda = require "painda"

local SIZE = 1000
local BOTS = tonumber(os.getenv "BOTS") or 100
local random, min, sqrt = math.random, math.min, math.sqrt

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, { maxPayload = 4096, maxMessagesPerSecond = 120 })

local place = painda.quantized { min = 0, max = SIZE, bits = 10 } -- seen to a step of one; kept exactly

local Arena = painda.schema {
  size = "uint16",
  players = painda.map("string", { name = painda.text { max = 32 }, hue = "uint16", x = place, y = place }),
}

local function runner(name)
  return { name = name, hue = random(0, 359), x = random(0, SIZE), y = random(0, SIZE) }
end

local arena = server:room("arena", function()
  local players = {}
  for i = 1, BOTS do
    players["bot" .. i] = runner("bot " .. i)
  end
  return Arena:new { size = SIZE, players = players }
end, { tickRate = 1000 / 60, maxClients = 200 })

-- --- running ---

-- What members need not know: where each runner wants to be, and how fast it is. It stays through reloads.
local minds = painda.state "minds"

local function mind_of(id, player)
  local mind = minds[id]
  if not mind then
    mind = { x = player.x, y = player.y, speed = random(60, 200) }
    minds[id] = mind
  end
  return mind
end

local function run(id, player, seconds)
  local mind = mind_of(id, player)
  local dx, dy = mind.x - player.x, mind.y - player.y
  local distance, step = sqrt(dx * dx + dy * dy), mind.speed * seconds
  if distance > step then
    player.x, player.y = player.x + dx / distance * step, player.y + dy / distance * step
  elseif not mind.client then
    mind.x, mind.y = random(0, SIZE), random(0, SIZE) -- a bot is never done
  else
    player.x, player.y = mind.x, mind.y
  end
end

arena:on("tick", function(state, elapsed)
  local seconds = min(elapsed, 100) / 1000
  for id, player in pairs(state.players) do
    run(id, player, seconds)
  end
end)

-- --- coming and going ---

local function coordinate(value)
  return type(value) == "number" and value >= 0 and value <= SIZE
end

server:on("hello", function(client, _, ack)
  local joined, why = arena:join(client)
  if not joined then
    return ack(painda.Error(why, "ROOM_ERROR"))
  end
  local players = arena:getState().players
  if not players[client.id] then
    players[client.id] = runner "you"
  end
  local mind = mind_of(client.id, players[client.id])
  mind.client, mind.speed = true, 300
  ack(nil, { id = client.id })
end)

server:on("aim", function(client, at)
  local mind = minds[client.id]
  if mind and type(at) == "table" and coordinate(at.x) and coordinate(at.y) then
    mind.x, mind.y = at.x, at.y
  end
end)

arena:on("leave", function(client)
  minds[client.id] = nil
  arena:getState().players[client.id] = nil
end)

-- --- how much work it is ---

local cpu, deltas = os.clock(), server:getStats().roomDeltas
painda.every(1000, function()
  local now, made = os.clock(), server:getStats().roomDeltas
  local tick_ms = made > deltas and (now - cpu) * 1000 / (made - deltas) or 0
  cpu, deltas = now, made
  arena:broadcast { type = "info", payload = { tickMs = tick_ms, members = arena.clientCount } }
end)
