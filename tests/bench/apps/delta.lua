-- The row "delta": what of a state changed, as JSON text, from the state in tables (peers/delta.mjs does the same).
-- Prints nanoseconds and bytes for each case, the median of the runs.
local ffi = require "ffi"
local painda = require "painda"
local core = require "painda.core.delta"
local testing = require "painda.testing"

local RUNS, RUN_SECONDS = 9, 0.1

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new "bench_time"

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
end

local file = assert(io.open(os.getenv "BENCH_STATE" or "tests/bench/state.json"))
local text = file:read "*a"
file:close()

local function rounded(number)
  return math.floor(number * 1000 + 0.5) / 1000
end

-- A state of so many players, each of 320 bytes, of which the first of every `moving` have moved. 0: none has.
local function state_of(count, moving)
  local state = painda.json.decode(text)
  local some = #state.players
  for i = 1, count do
    local player = i <= some and state.players[i] or painda.json.decode(painda.json.encode(state.players[i - some]))
    state.players[i] = player
    player.id = ("p%05d"):format(i)
    player.title = ("the knight of the ridge "):rep(2)
    if moving > 0 and (i - 1) % moving == 0 then
      player.x, player.y = rounded(player.x + 1.25), rounded(player.y - 0.5)
    end
  end
  return state
end

local function one_more(state)
  local new = painda.json.decode(painda.json.encode(state.players[1]))
  new.id = "p99999"
  table.insert(state.players, 1, new)
  return state
end

local function changed(state)
  for _, player in ipairs(state.players) do
    player.x, player.y = rounded(player.x + 1.25), rounded(player.y - 0.5)
    player.vx, player.vy = rounded(player.vx + 0.5), rounded(player.vy + 0.25)
    player.angle, player.hp = player.angle / 2, player.hp + 1
  end
  return state
end

local CASES = {
  { "moved", state_of(100, 0), state_of(100, 10) },
  { "large", state_of(1000, 0), state_of(1000, 10) },
  { "insert", state_of(100, 0), one_more(state_of(100, 0)) },
  { "same", state_of(100, 0), state_of(100, 0) },
  { "all", state_of(100, 0), changed(state_of(100, 0)) },
}

-- From the first state to the second and back; the bytes are those of the first way.
local function measure(before, after)
  local seen, times = core.snapshot(), {}
  seen:step_json(before)
  local bytes = #(seen:step_json(after) or "")
  for run = 1, RUNS do
    local count, spent, begin = 0, 0, now()
    while spent < RUN_SECONDS do
      for _ = 1, 5 do
        seen:step_json(before)
        seen:step_json(after)
      end
      count = count + 10
      spent = now() - begin
    end
    times[run] = spent / count * 1e9
  end
  table.sort(times)
  return times[math.ceil(RUNS / 2)], bytes
end

-- What a typed room with that state and one member takes in the time of a tick in which nobody touches it.
local function measure_untouched(state)
  local env, ticks, times = testing.createTestEnv(), 1000, {}
  local room = env.server:room("still", state)
  assert(room:join(env.server:getClient(env:connect().id)))
  for run = 1, RUNS do
    local begin = now()
    env.clock:advance(ticks * 16)
    times[run] = (now() - begin) / ticks * 1e9
  end
  env:close()
  table.sort(times)
  return times[math.ceil(RUNS / 2)]
end

painda.after(0, function()
  local figures = { state_bytes = #painda.json.encode(CASES[1][2]) }
  for _, case in ipairs(CASES) do
    figures[case[1] .. "_ns"], figures[case[1] .. "_bytes"] = measure(case[2], case[3])
  end
  figures.untouched_ns = measure_untouched(state_of(100, 0))
  print(painda.json.encode(figures))
  os.exit(0)
end)
