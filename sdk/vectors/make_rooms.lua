-- Writes rooms.json, the golden vectors of typed rooms in frames:
-- painda run sdk/vectors/make_rooms.lua > sdk/vectors/rooms.json
-- What stands there is what every SDK makes of the frames; a change here is a change of the protocol.
local painda = require "painda"

local SCHEMA, STATE, DELTA, VIEW = 0xFF00, 0xFF01, 0xFF02, 0xFF03

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local World = painda.schema { n = "uint16", players = painda.map("string", { x = "int16" }) }
local Other = painda.schema { names = painda.list "string" }
local talks = {}

-- A talk of one connection. Steps: what came, and what a client makes of it, as JSON.
local function talk(what, fn)
  local steps = {}
  fn(function(type_id, payload, told)
    local text = '  {"typeId":%d,"payload":"%s","told":%s}'
    steps[#steps + 1] = text:format(type_id, hex(payload), told or "null")
  end)
  talks[#talks + 1] = ('{"what":"%s","steps":[\n%s\n]}'):format(what, table.concat(steps, ",\n"))
end

local function whole(room, schema, state)
  local text = '{"event":"roomState","room":"%s","version":%d,"state":%s}'
  return text:format(room, schema:version(state), schema:json(state))
end

local function changed(room, schema, state, delta)
  local text = '{"event":"roomDelta","room":"%s","version":%d,"delta":%s,"state":%s}'
  return text:format(room, schema:version(state), delta, schema:json(state))
end

local function asked(room, reason)
  return ('{"event":"resync","room":"%s","reason":"%s"}'):format(room, reason)
end

talk("a room", function(step)
  local world = World:new { n = 1 }
  step(SCHEMA, "\1\5world" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("world", World, world))
  world.players.p1 = { x = 300 }
  local bytes, json = World:delta(world, "both")
  step(DELTA, "\1" .. bytes, changed("world", World, world, json))
  world.players.p1, world.n = nil, 2
  bytes, json = World:delta(world, "both")
  step(DELTA, "\1" .. bytes, changed("world", World, world, json))
end)

talk("two rooms, whose numbers have two and three bytes", function(step)
  local one, two, name = World:new { n = 1 }, Other:new { names = { "é" } }, "salle é"
  step(SCHEMA, "\172\2" .. string.char(#name) .. name .. World.bytes)
  step(SCHEMA, "\240\162\4\3two" .. Other.bytes)
  step(STATE, "\240\162\4" .. Other:snapshot(two), whole("two", Other, two))
  step(STATE, "\172\2" .. World:snapshot(one), whole(name, World, one))
  one.n = 2
  local bytes, json = World:delta(one, "both")
  step(DELTA, "\172\2" .. bytes, changed(name, World, one, json))
end)

talk("a missing delta", function(step)
  local world = World:new {}
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  world.n = 1
  World:delta(world)
  world.n = 2
  step(DELTA, "\1" .. World:delta(world), asked("a", "gap"))
  world.n = 3
  step(DELTA, "\1" .. World:delta(world)) -- passed over, as the snapshot is on its way
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  world.n = 4
  local bytes, json = World:delta(world, "both")
  step(DELTA, "\1" .. bytes, changed("a", World, world, json))
end)

talk("a delta that can't be read", function(step)
  local world = World:new {}
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  step(DELTA, "\1\1\255\255", asked("a", "delta"))
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
end)

talk("a state that is another", function(step)
  local world = World:new {}
  for i = 1, 63 do
    world.n = i
    World:delta(world)
  end
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  world.n = 64
  local bytes = World:delta(world)
  step(DELTA, "\1" .. bytes:sub(1, 4) .. string.char(255 - bytes:byte(5)) .. bytes:sub(6), asked("a", "desync"))
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
end)

talk("a delta before the state", function(step)
  local world = World:new {}
  step(SCHEMA, "\1\1a" .. World.bytes)
  world.n = 1
  step(DELTA, "\1" .. World:delta(world), asked("a", "gap"))
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
end)

talk("deltas over several versions", function(step)
  local world = World:new {}
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  for i = 1, 199 do -- the last of these is like the first
    world.n = i % 199
    World:delta(world)
  end
  world.players.p1 = { x = 1 }
  local bytes, json = World:delta(world, "both")
  step(VIEW, "\1\200\1" .. bytes, changed("a", World, world, json))
  world.players.p1.x = 2
  bytes, json = World:delta(world, "both")
  step(VIEW, "\1\1" .. bytes, changed("a", World, world, json))
  step(VIEW, "\1\2" .. bytes, asked("a", "gap"))
end)

talk("what is passed over", function(step)
  local world = World:new {}
  step(STATE, "\1" .. World:snapshot(world)) -- nobody has named the room
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(0xFF10, "\1" .. World:snapshot(world))
  step(STATE, "\2" .. World:snapshot(world))
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
end)

talk("a room that is made of something else later", function(step)
  local world, other = World:new { n = 5 }, Other:new { names = { "a" } }
  step(SCHEMA, "\1\1a" .. World.bytes)
  step(STATE, "\1" .. World:snapshot(world), whole("a", World, world))
  step(SCHEMA, "\1\1a" .. Other.bytes)
  step(STATE, "\1" .. Other:snapshot(other), whole("a", Other, other))
  other.names[2] = "b"
  local bytes, json = Other:delta(other, "both")
  step(DELTA, "\1" .. bytes, changed("a", Other, other, json))
end)

io.write("[\n", table.concat(talks, ",\n"), "\n]\n")
os.exit(0)
