-- The game: whoever comes runs to where they point. The state is a typed room's, and its members are told what changes,
-- 20 times a second.
--
--   play {name} → ack {id}     aim {x, y}     and in return the room: its state once, then its deltas
local painda = require "painda"

local _M = { SIZE = 1000, SPEED = 300, TICK = 50 } -- of the field, a second, ms

local sqrt = math.sqrt

local function coordinate(value)
  return type(value) == "number" and value >= 0 and value <= _M.SIZE
end

-- Where each player wants to be is nobody else's business, so it is in client.data and not in the state.
local function run(room, state, seconds)
  for _, client in ipairs(room:getClients()) do
    local player, aim = state.players[client.id], client.data.aim
    if player and aim then
      local dx, dy = aim.x - player.x, aim.y - player.y
      local distance, step = sqrt(dx * dx + dy * dy), _M.SPEED * seconds
      if distance > step then
        player.x, player.y = player.x + dx / distance * step, player.y + dy / distance * step
      else
        player.x, player.y, client.data.aim = aim.x, aim.y, nil
      end
    end
  end
end

function _M.serve(server)
  local room = server:room("arena", { players = {} }, { maxClients = 50, tickRate = _M.TICK })

  room:on("tick", function(state, elapsed)
    run(room, state, elapsed / 1000)
  end)

  room:on("leave", function(client)
    room:update(function(state)
      state.players[client.id] = nil
    end)
  end)

  server:on("play", function(client, payload, ack)
    local name = type(payload) == "table" and payload.name
    if type(name) ~= "string" or #name < 1 or #name > 24 then
      return ack(painda.Error("play takes a name of 1 to 24 bytes", "BAD_NAME"))
    end
    if room:has(client) then
      return ack(painda.Error("you play already", "ROOM_ERROR"))
    end
    local joined, why = room:join(client)
    if not joined then
      return ack(painda.Error(why, "ROOM_ERROR"))
    end
    room:update(function(state)
      state.players[client.id] = { name = name, x = _M.SIZE / 2, y = _M.SIZE / 2 }
    end)
    ack(nil, { id = client.id, size = _M.SIZE })
  end)

  server:on("aim", function(client, at)
    if type(at) == "table" and coordinate(at.x) and coordinate(at.y) then
      client.data.aim = { x = at.x, y = at.y }
    end
  end)

  return room
end

return _M
