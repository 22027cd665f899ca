-- The rows "declared": a declared state of players, of which some move in each tick (or, where BENCH_MOVING is "row",
-- they are in a list, one comes in front and the last goes), and the delta of each tick. Prints nanoseconds a tick,
-- writes included, the median of the runs, and the mean bytes a delta. peers/declared.mjs does the same.
local ffi = require "ffi"
local painda = require "painda"

local KIND = os.getenv "BENCH_KIND"
local PLAYERS, MOVING = tonumber(os.getenv "BENCH_PLAYERS"), tonumber(os.getenv "BENCH_MOVING") -- nil: "row"
local RUNS, RUN_SECONDS, TICKS = 9, 0.15, 100

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new "bench_time"

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
end

local seed = 1
local function random() -- the same numbers in both programs
  seed = seed * 16807 % 2147483647
  return seed / 2147483647
end

local place = KIND == "quantized" and painda.quantized { min = -2048, max = 2048, bits = 16 } or "float32"
local Player = {
  id = "string", name = "string", x = place, y = place, vx = "float32", vy = "float32", angle = "float32",
  hp = "uint8", team = "string", target = "string", alive = "bool", crouched = "bool",
  inventory = painda.list { item = "string", count = "uint8" },
}
local World = painda.schema {
  tick = "uint32",
  players = MOVING and painda.map("string", Player) or painda.list(Player),
}

local function player(i)
  local id = ("p%03d"):format(i)
  return id, {
    id = id, name = "player number " .. i, x = random() * 4096 - 2048, y = random() * 4096 - 2048,
    vx = random() * 16 - 8, vy = random() * 16 - 8, angle = random() * 6 - 3, hp = 100, team = "red", target = "p001",
    alive = true, inventory = { { item = "sword", count = 1 }, { item = "arrow", count = 20 } },
  }
end

local state, ids = World:new(), {}
for i = 1, PLAYERS do
  local id, values = player(i)
  ids[i] = id
  state.players[MOVING and id or i] = values
end
World:delta(state)

local first, total, count = 0, 0, 0
local function move()
  local players = state.players
  for i = 1, MOVING do
    local one = players[ids[(first + i * 7) % PLAYERS + 1]]
    local x, y = one.x + random() * 16 - 8, one.y + random() * 16 - 8
    one.x = (x > 2047 or x < -2047) and 0 or x
    one.y = (y > 2047 or y < -2047) and 0 or y
  end
  first = first + 37
end

local function come_and_go()
  local _, values = player(100 + count % 900)
  state.players:insert(1, values)
  state.players:remove()
end

local change = MOVING and move or come_and_go
local function tick()
  change()
  total, count = total + #(World:delta(state) or ""), count + 1
end

local times = {}
for run = 1, RUNS do
  local ticks, spent, begin = 0, 0, now()
  while spent < RUN_SECONDS do
    for _ = 1, TICKS do tick() end
    ticks = ticks + TICKS
    spent = now() - begin
  end
  times[run] = spent / ticks * 1e9
end
table.sort(times)
print(('{"tick_ns": %.0f, "bytes": %.2f, "snapshot": %d, "json": %d}'):format(times[math.ceil(RUNS / 2)], total / count,
  #World:snapshot(state), #World:json(state)))
os.exit(0)
