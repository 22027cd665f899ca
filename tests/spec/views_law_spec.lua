local rooms = require "room_support"

local viewer = rooms.viewer

describe("what viewers know", function()
  it("is what they see, whatever happens", function()
    for seed = 1, 12 do
      math.randomseed(seed)
      local random = math.random
      local server, clock = rooms.start { compression = "none" }
      local room = server:room("a", { n = 0, players = {} }, { entities = "players", slowAbove = 2000 })
      local all = {}
      for i = 1, 5 do
        local who = viewer(room)
        all[i] = { who = who }
      end
      for tick = 1, 40 do
        room:update(function(state)
          state.n = tick
          for i = 1, 30 do
            local id, dice = "p" .. i, random(10)
            if dice == 1 then
              state.players[id] = nil
            elseif dice < 5 then
              state.players[id] = state.players[id] or { name = "player" .. i }
              state.players[id].x, state.players[id].y = random(100), random(100)
            end
          end
        end)
        for _, one in ipairs(all) do
          local dice = random(12)
          if dice == 1 then
            one.at, one.radius = { x = random(100), y = random(100) }, random(50)
            one.modulo = nil
            room:setView(one.who.socket, { map = "players", at = one.at, radius = one.radius })
          elseif dice == 2 then
            one.at, one.modulo = nil, random(3)
            local modulo = one.modulo
            room:setView(one.who.socket, function(id)
              return tonumber(id:sub(2)) % modulo == 0
            end)
          elseif dice == 3 then
            one.at, one.modulo = nil, nil
            room:setView(one.who.socket, nil)
          elseif dice == 4 then
            one.who.socket:emit("large", ("x"):rep(5000))
          elseif one.at then
            one.at.x = one.at.x + random(5) - 3
          end
        end
        clock:advance(tick % 3 == 0 and 0 or 17)
      end
      room:update()
      clock:advance(2000)
      for _, one in ipairs(all) do
        local wanted = {}
        for id, entity in pairs(room:getState().players) do
          local sees = true
          if one.at then
            sees = (entity.x - one.at.x) ^ 2 + (entity.y - one.at.y) ^ 2 <= one.radius ^ 2
          elseif one.modulo then
            sees = tonumber(id:sub(2)) % one.modulo == 0
          end
          wanted[id] = sees and entity or nil
        end
        assert.same({ n = 40, players = wanted }, (one.who.client:roomState "a"), "seed " .. seed)
        assert.equal(0, one.who.client.resyncs, "seed " .. seed)
      end
    end
  end)
end)
