local declared = require "painda.declared"
local painda = require "painda"
local rooms = require "room_support"
local timing = require "painda.typed_room.ticks"

local viewer = rooms.viewer
local random = math.random

local function plain(state)
  local schema = declared.schema_of(state)
  return schema and schema:toTable(state) or state
end

local function change(state, tick)
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
end

-- Another view, or none; or the member falls behind, or its centre moves.
local function change_view(room, one)
  local dice = random(12)
  if dice == 1 then
    one.at, one.radius, one.modulo = { x = random(100), y = random(100) }, random(50), nil
    room:setView(one.who.socket, { map = "players", at = one.at, radius = one.radius })
  elseif dice == 2 then
    local modulo = random(3)
    one.at, one.modulo = nil, modulo
    room:setView(one.who.socket, function(id)
      return tonumber(id:sub(2)) % modulo == 0
    end)
  elseif dice == 3 then
    one.at, one.modulo = nil, nil
    room:setView(one.who.socket, nil)
  elseif dice == 4 then
    one.stalls = random(4)
  elseif one.at then
    one.at.x = one.at.x + random(5) - 3
  end
end

local function sees(one, id, entity)
  if one.at then
    return (entity.x - one.at.x) ^ 2 + (entity.y - one.at.y) ^ 2 <= one.radius ^ 2
  end
  return not one.modulo or tonumber(id:sub(2)) % one.modulo == 0
end

-- A tick, at which more waits for some than is good; or the clock's next one, when all of that is sent.
local function tick_once(room, all, clock, at_once)
  if not at_once then
    return clock:advance(17)
  end
  painda.spawn(function()
    for _, one in ipairs(all) do
      if one.stalls > 0 then
        one.who.socket:emit("large", ("x"):rep(5000))
        one.stalls = one.stalls - 1
      end
    end
    timing.disarm(room)
    timing.tick(room)
  end)
  clock:advance(0)
end

-- Ticks of a room with five members, then what each knows is held against what it should see.
local function run(seed, ticks, initial, counts)
  math.randomseed(seed)
  local server, clock = rooms.start { compression = "none" }
  local room = server:room("a", initial, { entities = "players", slowAbove = 2000, resyncInterval = 0 })
  local all = {}
  for i = 1, 5 do
    all[i] = { who = viewer(room, nil, { stateFrames = i % 2 == 0 }), stalls = 0 }
  end
  for tick = 1, ticks do
    room:update(function(state)
      change(state, tick)
    end)
    for _, one in ipairs(all) do
      change_view(room, one)
    end
    if tick % 3 > 0 then
      tick_once(room, all, clock, tick % 8 > 0)
    end
  end
  room:update()
  clock:advance(2000)
  for _, one in ipairs(all) do
    local wanted = {}
    for id, entity in pairs(plain(room:getState()).players) do
      wanted[id] = sees(one, id, entity) and entity or nil
    end
    local client = one.who.client
    assert.same({ n = ticks, players = wanted }, plain((client:roomState "a")), "seed " .. seed)
    assert.same({ 0, 0 }, { client.resyncs, client.desyncs }, "seed " .. seed)
  end
  for name, count in pairs(room:getStats()) do
    counts[name] = (counts[name] or 0) + count
  end
end

local function assert_all_happened(counts)
  local text = ("%d deltas, %d states"):format(counts.catchUpDeltas, counts.catchUps)
  assert(counts.catchUpDeltas > 20 and counts.catchUps > 5, text)
end

describe("what viewers know", function()
  it("is what they see, whatever happens", function()
    local counts = {}
    for seed = 1, 12 do
      run(seed, 40, { n = 0, players = {} }, counts)
    end
    assert_all_happened(counts)
  end)

  it("is what they see of a declared state too, in either form", function()
    local schema = painda.schema {
      n = "uint32",
      players = painda.map("string", { name = "string", x = "int16", y = "float32" }),
    }
    local counts = {}
    for seed = 1, 12 do
      run(seed, 150, schema, counts) -- so many have hashes
    end
    assert_all_happened(counts)
  end)
end)
