-- The rows "views": a typed room of 1,000 entities that all move in each tick, and 500 members that each see what is
-- near their own, some 100. Prints nanoseconds a tick, the moves and the finding of what is near included, up to where
-- the messages wait for their sockets, the median of the ticks; and the mean bytes that a member is sent.
-- peers/views.mjs moves the same entities.
local ffi = require "ffi"
local painda = require "painda"
local ticks = require "painda.typed_room.ticks"

local FORM = os.getenv "BENCH_FORM" or "plain" -- or float32, quantized: a declared state
local ENTITIES, MEMBERS, RADIUS, SIDE, WARMUP, TICKS = 1000, 500, 760, 4096, 5, 40

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new "bench_time"

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end

local seed = 1
local function random() -- the same numbers in both programs
  seed = seed * 16807 % 2147483647
  return seed / 2147483647
end

local server = painda.PPServer { port = 0, host = "127.0.0.1", maxBackpressure = 64 * 1024 * 1024 }

local function initial()
  if FORM == "plain" then
    return { players = {} }
  end
  local place = FORM == "quantized" and painda.quantized { min = 0, max = SIDE, bits = 16 } or "float32"
  return painda.schema { players = painda.map("string", { x = place, y = place }) }
end

local room = server:room("world", initial(), { tickRate = 86400000, maxStateSize = 16 * 1024 * 1024 })
local players, ids = room:getState().players, {}
for i = 1, ENTITIES do
  ids[i] = ("p%04d"):format(i)
  players[ids[i]] = { x = random() * SIDE, y = random() * SIDE }
end

local function moved(at, step)
  local there = at + step * 16 - 8
  return (there < 0 or there > SIDE) and at or there
end

local function tick()
  room:update()
  for i = 1, ENTITIES do
    local player = players[ids[i]]
    player.x, player.y = moved(player.x, random()), moved(player.y, random())
  end
  ticks.tick(room)
end

server:on("connection", function(client)
  assert(room:join(client))
end)

painda.spawn(function()
  local others = {}
  for i = 1, MEMBERS do
    others[i] = painda.PPVirtualClient(ids[i])
    others[i]:connect(server)
  end
  painda.sleep(200)
  local clients = server:getClients()
  assert(#clients == MEMBERS)
  for _, client in ipairs(clients) do
    room:setView(client, { map = "players", radius = RADIUS })
  end
  local times, before = {}, nil
  for n = 1, WARMUP + TICKS do
    for _, client in ipairs(others) do
      client._link.rooms, client._link.numbers = {}, {} -- it looks at messages, and keeps no state
    end
    collectgarbage "collect"
    local begin = now()
    tick()
    times[n - WARMUP] = now() - begin
    if n == WARMUP then
      before = room:getStats()
    end
    painda.sleep(1)
  end
  local stats = room:getStats()
  assert(stats.viewers == MEMBERS and stats.fellBehind == 0)
  table.sort(times)
  print(('{"tick_ns": %.0f, "bytes": %.1f}'):format(times[math.ceil(TICKS / 2)],
    (stats.viewBytes - before.viewBytes) / TICKS / MEMBERS))
  os.exit(0)
end)
