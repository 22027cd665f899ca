-- Clients over sockets in rooms with a declared state.
local painda = require "painda"
local support = require "support"

local FIELDS = {
  round = "uint16",
  players = painda.map("string", { x = "float32", hp = "uint8", name = "string" }),
}

describe("a PPClient in a room with a declared state", function()
  local real

  after_each(function()
    real:close()
  end)

  -- Over a socket, with frames that are compressed.
  local function start(options)
    real = support.server()
    local schema = painda.schema(FIELDS)
    local state = schema:new()
    for i = 1, 100 do
      state.players["player" .. i] = { x = i, hp = 100, name = "the same name" }
    end
    local room = real:room("a", state)
    local client, socket = support.connect(real, options)
    local told = support.record(client, "roomDelta")
    assert(room:join(socket))
    support.eventually(function()
      return client:roomState "a" ~= nil
    end)
    return room, client, told
  end

  it("has the state, and is told what becomes of it", function()
    local room, client, told = start()
    assert.equal("the same name", client:roomState("a").players.player50.name)
    room:getState().players.player7 = nil
    room:getState().round = 5
    support.eventually(function()
      return client:roomState("a").round == 5
    end)
    assert.is_nil(client:roomState("a").players.player7)
    assert.same({ round = 5, players = { player7 = { __pp_deleted = true } } }, told[1][1].delta)
  end)

  it("takes plain tables with stateFrames = false, and in JSON mode", function()
    for _, options in ipairs { { stateFrames = false }, { json = true } } do
      local room, client = start(options)
      assert.equal("table", type((client:roomState "a")))
      room:getState().round = 6
      support.eventually(function()
        return client:roomState("a").round == 6
      end)
      client:close()
      real:close()
    end
  end)
end)
