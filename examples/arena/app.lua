-- Arena: a hundred bots and whoever comes run about, 60 times a second, and every window sees the same. The state is a
-- typed room's: this file changes plain tables, and the room tells its members what became different.
--
-- What the page sends                What it gets
--   hello            → ack {id}        __pp_room_state, then a __pp_room_delta a tick
--   aim {x, y}       from 0 to 1000    info {tickMs, members}, once a second
local painda = require "painda"

local SIZE = 1000
local BOTS = tonumber(os.getenv "BOTS") or 100
local random, floor, min, sqrt = math.random, math.floor, math.min, math.sqrt

local http = painda.HttpServer { port = 3000 }
http:static("/", "public")

local server = painda.PPServer.attachTo(http, { maxPayload = 4096, maxMessagesPerSecond = 120 })

local function runner(name, speed)
  return { name = name, hue = random(0, 359), x = random(0, SIZE), y = random(0, SIZE), speed = speed }
end

local arena = server:room("arena", function()
  local players = {}
  for i = 1, BOTS do
    players["bot" .. i] = runner("bot " .. i, random(60, 200))
  end
  return { size = SIZE, players = players }
end, { tickRate = 1000 / 60, maxClients = 200 })

-- --- running ---

-- What members need not know: where each runner is exactly, and where it wants to be. It stays through reloads.
local minds = painda.state "minds"

local function mind_of(id, player)
  local mind = minds[id]
  if not mind then
    mind = { x = player.x, y = player.y, to_x = player.x, to_y = player.y }
    minds[id] = mind
  end
  return mind
end

local function run(id, player, seconds)
  local mind = mind_of(id, player)
  local dx, dy = mind.to_x - mind.x, mind.to_y - mind.y
  local distance, step = sqrt(dx * dx + dy * dy), player.speed * seconds
  if distance > step then
    mind.x, mind.y = mind.x + dx / distance * step, mind.y + dy / distance * step
  elseif not mind.client then
    mind.to_x, mind.to_y = random(0, SIZE), random(0, SIZE) -- a bot is never done
  else
    mind.x, mind.y = mind.to_x, mind.to_y
  end
  player.x, player.y = floor(mind.x + 0.5), floor(mind.y + 0.5) -- whole numbers are short
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
  arena:update(function(state)
    local player = state.players[client.id] or runner("you", 300)
    state.players[client.id] = player
    mind_of(client.id, player).client = true
  end)
  ack(nil, { id = client.id })
end)

server:on("aim", function(client, at)
  local mind = minds[client.id]
  if mind and type(at) == "table" and coordinate(at.x) and coordinate(at.y) then
    mind.to_x, mind.to_y = at.x, at.y
  end
end)

arena:on("leave", function(client)
  minds[client.id] = nil
  arena:update(function(state)
    state.players[client.id] = nil
  end)
end)

-- --- how much work it is ---

local cpu, deltas = os.clock(), server:getStats().roomDeltas
painda.every(1000, function()
  local now, made = os.clock(), server:getStats().roomDeltas
  local tick_ms = made > deltas and (now - cpu) * 1000 / (made - deltas) or 0
  cpu, deltas = now, made
  arena:broadcast { type = "info", payload = { tickMs = tick_ms, members = arena.clientCount } }
end)
