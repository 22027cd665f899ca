-- The row "JSON": tests/bench/state.json to Lua and back. Prints nanoseconds an operation, the median of the runs.
-- Under plain LuaJIT, where there is no painda, it measures lua-cjson in the same way.
local ffi = require "ffi"
local found, painda = pcall(require, "painda")
local codec = found and painda.json or require "cjson"

local RUNS, RUN_SECONDS = 9, 0.15

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new "bench_time"

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
end

local function measure(operation, argument)
  local times = {}
  for run = 1, RUNS do
    local count, spent, begin = 0, 0, now()
    while spent < RUN_SECONDS do
      for _ = 1, 50 do operation(argument) end
      count = count + 50
      spent = now() - begin
    end
    times[run] = spent / count * 1e9
  end
  table.sort(times)
  return times[math.ceil(RUNS / 2)]
end

-- Walks with next() alone, so that a codec which decodes on demand is found out.
local function leaves(value)
  if type(value) ~= "table" then return 1 end
  local sum, key, child = 0, next(value)
  while key ~= nil do
    sum = sum + leaves(child)
    key, child = next(value, key)
  end
  return sum
end

local file = assert(io.open(os.getenv "BENCH_STATE" or "tests/bench/state.json"))
local text = file:read "*a"
file:close()

local value = assert(codec.decode(text))
local found_leaves, bytes = leaves(value), #codec.encode(value)
local decode = measure(codec.decode, text)
local encode = measure(codec.encode, value)
local report = '{"decode_ns": %.0f, "encode_ns": %.0f, "leaves": %d, "bytes": %d}'
print(string.format(report, decode, encode, found_leaves, bytes))
os.exit(0)
