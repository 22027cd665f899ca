local painda = require "painda"
local reload = require "painda.reload"
local runtime = require "painda.core.runtime"
local support = require "support"
local testing = require "painda.testing"

local clock -- of the tests that say so; the others wait

local function hold_clock()
  clock = testing.createTestEnv().clock
end

local function timers()
  local count = 0
  for _ in pairs(reload.current.timers) do
    count = count + 1
  end
  return count
end

describe("painda.after", function()
  it("calls once, not before its time", function()
    local calls, start, called = 0, runtime.now(), nil
    painda.after(20, function()
      calls, called = calls + 1, runtime.now()
    end)
    painda.sleep(60)
    assert.equal(1, calls)
    assert.is_true(called - start >= 20)
  end)

  it("calls at its time", function()
    hold_clock()
    local called
    for _, ms in ipairs { 0, 1, 63, 64, 65, 4096, 86400000 } do
      local start = clock:now()
      painda.after(ms, function()
        called = clock:now()
      end)
      clock:advance(ms)
      assert.equal(start + ms, called)
    end
  end)

  it("calls in the order of the times", function()
    hold_clock()
    local order = {}
    for _, ms in ipairs { 20, 5, 10, 0 } do
      painda.after(ms, function()
        order[#order + 1] = ms
      end)
    end
    clock:advance(50)
    assert.same({ 0, 5, 10, 20 }, order)
  end)

  it("is called on a task, so it may wait", function()
    local done = false
    painda.after(1, function()
      painda.sleep(1)
      done = true
    end)
    support.eventually(function()
      return done
    end)
  end)

  it("can be cancelled until it was called", function()
    hold_clock()
    local calls = 0
    local timer = painda.after(5, function()
      calls = calls + 1
    end)
    assert.is_true(timer:cancel())
    assert.is_false(timer:cancel())
    clock:advance(20)
    assert.equal(0, calls)
    local other = painda.after(1, function() end)
    clock:advance(1)
    assert.is_false(other:cancel())
  end)

  it("is not forgotten by the collector while it is pending", function()
    hold_clock()
    local called = false
    painda.after(10, function()
      called = true
    end)
    runtime.collect()
    clock:advance(10)
    assert.is_true(called)
  end)

  it("leaves nothing behind", function()
    hold_clock()
    local before = timers()
    painda.after(1, function() end)
    painda.after(1000, function() end):cancel()
    clock:advance(1)
    assert.equal(before, timers())
  end)
end)

describe("painda.every", function()
  it("calls on the beat, until it is cancelled", function()
    hold_clock()
    local times = {}
    local timer = painda.every(20, function()
      times[#times + 1] = clock:now()
      painda.sleep(7)
    end)
    clock:advance(100)
    assert.is_true(timer:cancel())
    clock:advance(100)
    assert.same({ 20, 40, 60, 80, 100 }, times)
    assert.is_false(timer:cancel())
  end)

  it("can be cancelled from its own call", function()
    hold_clock()
    local calls, timer = 0, nil
    timer = painda.every(1, function()
      calls = calls + 1
      if calls == 3 then
        timer:cancel()
      end
    end)
    clock:advance(30)
    assert.equal(3, calls)
  end)

  it("goes on after an error and after a call that waits", function()
    hold_clock()
    local calls = 0
    runtime.set_log_level "silent"
    local timer = painda.every(1, function()
      calls = calls + 1
      if calls % 2 == 0 then
        painda.sleep(5)
      else
        error "on purpose"
      end
    end)
    clock:advance(6)
    assert.equal(6, calls)
    timer:cancel()
    runtime.set_log_level "warn"
  end)

  it("leaves out the calls that were missed", function()
    local calls = 0
    local timer = painda.every(2, function()
      calls = calls + 1
    end)
    local start = runtime.now()
    while runtime.now() - start < 60 do -- the loop stands still
      local _ = start
    end
    painda.sleep(0)
    painda.sleep(0)
    assert.is_true(calls <= 4, calls .. " calls came at once")
    timer:cancel()
  end)
end)

describe("a timer", function()
  it("takes a time and a function, or raises at the caller's line", function()
    local cases = {
      { painda.after, -1, "painda.after takes milliseconds from 0 to 1e12, not -1" },
      { painda.after, "1", "painda.after takes milliseconds from 0 to 1e12, not \"1\"" },
      { painda.every, 0, "painda.every takes milliseconds from 1 to 1e12, not 0" },
      { painda.every, 0 / 0, "painda.every takes milliseconds from 1 to 1e12, not nan" },
      { painda.every, math.huge, "painda.every takes milliseconds from 1 to 1e12, not inf" },
    }
    for _, case in ipairs(cases) do
      local text = support.raised(function()
        case[1](case[2], print)
      end)
      assert.matches("timer_spec.lua:%d+: " .. case[3]:gsub("%-", "%%-"), text)
    end
    assert.equal("painda.after takes a function to call, not a nil", support.message(painda.after, 1))
  end)
end)
