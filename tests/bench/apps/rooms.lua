-- The rows "rooms": BENCH_ROOMS rooms of 20 members and 20 players, of which 10 move in each of 60 ticks a second. The
-- rooms begin when all members are in; peers/colyseus.mjs does the same. BENCH_KIND says of what the state is: tables
-- or declared. What is noted is by how much a tick comes later after the one before than it should.
--
-- Prints the figures of the time after the first second, when the first member leaves; or, with BENCH_CLIMB, lets more
-- and more of the rooms begin until the ticks come late, and prints how many can be at once.
local ffi = require "ffi"
local painda = require "painda"

local KIND, ROOMS, CLIMB = os.getenv "BENCH_KIND", tonumber(os.getenv "BENCH_ROOMS"), os.getenv "BENCH_CLIMB"
local MEMBERS, PLAYERS, MOVING, PERIOD = 20, 20, 10, 1000 / 60
local FIRST, GROWTH, NEAR, STEP_MS, TRIES, CLIMB_MS = 20, 1.4, 1.05, 450, 3, 10000 -- of a climb
local LATE_MS, KEPT = 4, 0.95 -- how late one in a hundred may be, and what share of the ticks there is to be

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new "bench_time"

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) * 1e3 + tonumber(time.nanoseconds) * 1e-6
end

local function place()
  return math.random(-2000, 2000)
end

local World = painda.schema {
  players = painda.map("string", {
    name = "string", x = "float32", y = "float32", vx = "float32", vy = "float32", hp = "uint8",
  }),
}

local function new_state()
  local players = {}
  for i = 1, PLAYERS do
    players["p" .. i] = { name = "player " .. i, x = place(), y = place(), vx = 0.25, vy = 0.75, hp = 100 }
  end
  return KIND == "declared" and World:new { players = players } or { players = players }
end

-- --- what is noted ---

local STEPS = 2000 -- of a twentieth of a millisecond
local counts, ticks, since = ffi.new("uint32_t[?]", STEPS), 0, now()

local function note(late)
  local step = math.min(math.max(math.floor(late * 20), 0), STEPS - 1)
  counts[step] = counts[step] + 1
  ticks = ticks + 1
end

local function reset()
  ffi.fill(counts, ffi.sizeof(counts))
  ticks, since = 0, now()
end

-- How late the latest of a share of the ticks were, in ms.
local function late_at(share)
  local left = ticks * share
  for step = 0, STEPS - 1 do
    left = left - counts[step]
    if left <= 0 then
      return (step + 1) / 20
    end
  end
  return STEPS / 20
end

-- The share of the ticks that `rooms` rooms had to have.
local function kept(rooms)
  return ticks * PERIOD / (rooms * (now() - since))
end

local function report(figures)
  io.stdout:write(painda.json.encode(figures), "\n")
  io.stdout:flush()
end

-- --- the rooms ---

local server = painda.PPServer { port = 3000, heartbeat = false, maxConnectionsPerIp = 100000, maxPendingPerIp = 0 }
local rooms, ids = {}, {}
for i = 1, ROOMS do
  rooms[i] = server:room("room" .. i, new_state, { tickRate = PERIOD })
end
for i = 1, PLAYERS do
  ids[i] = "p" .. i
end

local function begin(room)
  local first, last = 0, nil
  room:on("tick", function(state)
    local at, players = now(), state.players
    if last then
      note(at - last - PERIOD)
    end
    last = at
    for i = 1, MOVING do
      local player = players[ids[(first + i) % PLAYERS + 1]]
      player.x, player.y = player.x + player.vx, player.y + player.vy
    end
    first = first + MOVING
  end)
end

local awake = 0
local function wake(count)
  while awake < count do
    awake = awake + 1
    begin(rooms[awake])
  end
  while awake > count do
    rooms[awake]:off "tick"
    awake = awake - 1
  end
end

local function hold()
  wake(ROOMS)
  painda.after(1000, reset)
end

local ended = false
local function stop()
  if not ended and not CLIMB then
    ended = true
    report { p50_ms = late_at(0.5), p99_ms = late_at(0.99), kept = kept(ROOMS) }
  end
end

-- Goes up until the ticks come late TRIES times, and then halves what is between.
local function climb()
  local begun, good, bad, tries = now(), 0, ROOMS + 1, TRIES + 1 -- the first time all is still to be compiled
  local function step()
    local fine = late_at(0.99) <= LATE_MS and kept(awake) >= KEPT
    tries = tries - 1
    if fine then
      good = awake
    elseif tries == 0 then
      bad = awake
    end
    if bad - good <= math.max(good * (NEAR - 1), 1) or now() - begun > CLIMB_MS then
      return report { rooms = good }
    elseif fine or tries == 0 then
      wake(bad > ROOMS and math.min(math.ceil(awake * GROWTH), ROOMS) or math.floor((good + bad) / 2))
      tries = TRIES
    end
    painda.after(100, reset) -- what begins may be late
    painda.after(STEP_MS, step)
  end
  wake(FIRST)
  reset()
  painda.after(STEP_MS, step)
end

local joined = 0
server:on("connection", function(client)
  joined = joined + 1
  assert(rooms[math.ceil(joined / MEMBERS)]:join(client))
  if joined == ROOMS * MEMBERS then
    painda.after(200, CLIMB and climb or hold)
  end
end)
server:on("disconnection", stop)
