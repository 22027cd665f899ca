-- How long to wait before the next attempt to connect. Pure: chance is passed in, so tests decide it.
--
--   backoff.delay({ strategy = "exponential", base = 1000, max = 30000, jitter = 0.2 }, 3, math.random)   -- about 4000

local type, min, max, pcall = type, math.min, math.max, pcall

local _M = {}

local function fibonacci(n)
  local a, b = 0, 1
  for _ = 2, min(n, 1000) do -- beyond, every sum is infinite
    a, b = b, a + b
  end
  return b
end

-- attempt (from 1) → how many times the base.
local factors = {
  exponential = function(attempt)
    return 2 ^ (attempt - 1)
  end,
  linear = function(attempt)
    return attempt
  end,
  fibonacci = fibonacci,
}

_M.strategies = { "exponential", "linear", "fibonacci" }

-- What a function of the application says, in ms; the base where it says nothing of use.
local function ask(fn, attempt, base)
  local ok, ms = pcall(fn, attempt)
  if ok and type(ms) == "number" and ms >= 0 then
    return ms
  end
  return base
end

-- Milliseconds before attempt number `attempt` (from 1): at most `max`, then moved by up to ± jitter (0 to 1, a
-- part of it). `random` returns a number from 0 to 1.
function _M.delay(options, attempt, random)
  local strategy = options.strategy
  local ms
  if type(strategy) == "function" then
    ms = ask(strategy, attempt, options.base)
  else
    ms = options.base * factors[strategy](attempt)
  end
  ms = min(ms, options.max)
  return max(0, ms * (1 + options.jitter * (2 * random() - 1)))
end

return _M
