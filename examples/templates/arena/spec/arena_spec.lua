-- Run with: painda test. The clock stands still until a test moves it.
local testing = require "painda.testing"
local arena = require "arena"

describe("an arena", function()
  local env, room

  before_each(function()
    env = testing.createTestEnv()
    room = arena.serve(env.server)
  end)

  local function come(name)
    local client = env:connect()
    local id = assert(client:request("play", { name = name })).id
    return client, id
  end

  it("puts who comes in the middle, and takes out who goes", function()
    local ann, id = come "Ann"
    assert.same({ name = "Ann", x = 500, y = 500 }, room:getState().players[id])
    ann:close()
    env.clock:advance(0)
    assert.same({}, room:getState().players)
  end)

  it("moves players to where they aim, and no faster than they can", function()
    local ann, id = come "Ann"
    ann:emit("aim", { x = 500, y = 1000 })
    env.clock:advance(500)
    local player = room:getState().players[id]
    assert.equal(500, player.x)
    assert.is_true(player.y > 500 and player.y <= 500 + arena.SPEED * 0.5)
    env.clock:advance(2000)
    assert.equal(1000, player.y)
  end)

  it("tells the others", function()
    local ann, id = come "Ann"
    local bob = come "Bob"
    ann:emit("aim", { x = 0, y = 0 })
    env.clock:advance(5000)
    local seen
    bob:on("roomDelta", function(told)
      seen = told.state.players[id].x
    end)
    ann:emit("aim", { x = 30, y = 0 })
    env.clock:advance(1000)
    assert.equal(30, seen)
  end)

  it("takes no notice of what is no place", function()
    local ann, id = come "Ann"
    for _, at in ipairs { 5, {}, { x = -1, y = 0 }, { x = 0, y = arena.SIZE + 1 }, { x = "1", y = 1 } } do
      ann:emit("aim", at)
    end
    env.clock:advance(1000)
    assert.equal(500, room:getState().players[id].x)
  end)

  it("refuses what is no name, and coming twice", function()
    assert.equal("BAD_NAME", select(2, env:connect():request("play", {})).code)
    local ann = come "Ann"
    assert.equal("ROOM_ERROR", select(2, ann:request("play", { name = "Ann" })).code)
  end)
end)
