local backoff = require "painda.backoff"

local function half() -- no jitter
  return 0.5
end

local function delays(strategy, count, options)
  options = options or {}
  local with = {
    strategy = strategy,
    base = options.base or 1000,
    max = options.max or 30000,
    jitter = options.jitter or 0.2,
  }
  local out = {}
  for attempt = 1, count do
    out[attempt] = backoff.delay(with, attempt, options.random or half)
  end
  return out
end

describe("backoff", function()
  it("doubles, up to the most", function()
    assert.same({ 1000, 2000, 4000, 8000, 16000, 30000, 30000 }, delays("exponential", 7))
  end)

  it("grows by the base", function()
    assert.same({ 1000, 2000, 3000, 4000 }, delays("linear", 4))
  end)

  it("grows like Fibonacci's numbers", function()
    assert.same({ 1000, 1000, 2000, 3000, 5000, 8000 }, delays("fibonacci", 6))
  end)

  it("asks a function", function()
    assert.same(
      { 10, 20, 30 },
      delays(function(attempt)
        return attempt * 10
      end, 3)
    )
  end)

  it("falls back to the base where a function says nothing of use", function()
    for _, useless in ipairs { "soon", -1, 0 / 0, false } do
      assert.same(
        { 1000 },
        delays(function()
          return useless
        end, 1)
      )
    end
    assert.same(
      { 1000 },
      delays(function()
        error "broken"
      end, 1)
    )
  end)

  it("never waits longer than the most, however many attempts there were", function()
    for _, strategy in ipairs(backoff.strategies) do
      local with = { strategy = strategy, base = 1000, max = 30000, jitter = 0 }
      for _, attempt in ipairs { 100, 5000, 1e9 } do
        assert.equal(30000, backoff.delay(with, attempt, half))
      end
    end
    assert.same(
      { 30000 },
      delays(function()
        return math.huge
      end, 1)
    )
  end)

  it("spreads by the jitter, both ways", function()
    local function low()
      return 0
    end
    local function high()
      return 1
    end
    assert.same({ 800, 1600 }, delays("exponential", 2, { random = low }))
    assert.same({ 1200, 2400 }, delays("exponential", 2, { random = high }))
    assert.same({ 1000 }, delays("linear", 1, { random = high, jitter = 0 }))
    assert.same({ 0 }, delays("linear", 1, { random = low, jitter = 1 }))
  end)
end)
