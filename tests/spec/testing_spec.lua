local painda = require "painda"
local runtime = require "painda.core.runtime"
local support = require "support"
local testing = require "painda.testing"

local createTestEnv, waitForMessage = testing.createTestEnv, testing.waitForMessage

describe("the clock of a test", function()
  it("stands still until it is moved", function()
    local env, called = createTestEnv(), false
    painda.after(1, function()
      called = true
    end)
    assert.equal(0, env.clock:now())
    assert.is_nil(env.clock:advance(0))
    assert.is_false(called)
    env.clock:advance(1)
    assert.is_true(called)
    assert.equal(1, env.clock:now())
  end)

  it("fires timers in the order of their times, at their times", function()
    local env, seen = createTestEnv(), {}
    for _, ms in ipairs { 20, 5, 3600000, 10, 0 } do
      painda.after(ms, function()
        seen[#seen + 1] = { ms, env.clock:now() }
      end)
    end
    env.clock:advance(3600000)
    assert.same({ { 0, 0 }, { 5, 5 }, { 10, 10 }, { 20, 20 }, { 3600000, 3600000 } }, seen)
  end)

  it("lets what a timer wakes run before the next one", function()
    local env, seen = createTestEnv(), {}
    local function note(what)
      seen[#seen + 1] = what .. " at " .. env.clock:now()
    end
    painda.spawn(function()
      painda.sleep(10)
      note "woken"
      painda.sleep(0)
      note "after a turn"
      painda.sleep(5)
      note "woken again"
    end)
    painda.after(20, function()
      note "timer"
    end)
    env.clock:advance(30)
    assert.same({ "woken at 10", "after a turn at 10", "woken again at 15", "timer at 20" }, seen)
    assert.equal(30, env.clock:now())
  end)

  it("keeps the order of timers that are due at the same time", function()
    local env, seen = createTestEnv(), {}
    for i = 1, 5 do
      painda.after(i == 3 and 0 or 7, function()
        seen[#seen + 1] = i
      end)
    end
    env.clock:advance(7)
    assert.same({ 3, 1, 2, 4, 5 }, seen)
  end)

  it("lets turns pass for those that sleep for 0 ms", function()
    local env = createTestEnv()
    painda.sleep(0)
    painda.sleep(0)
    assert.equal(0, env.clock:now())
  end)

  it("calls painda.every each time", function()
    local env, times = createTestEnv(), {}
    local timer = painda.every(250, function()
      times[#times + 1] = env.clock:now()
    end)
    env.clock:advance(1100)
    timer:cancel()
    env.clock:advance(1000)
    assert.same({ 250, 500, 750, 1000 }, times)
  end)

  it("goes on from where it stood when the environment is closed", function()
    local env = createTestEnv()
    local before, fired = runtime.now(), nil
    env.clock:advance(100000)
    painda.after(5, function()
      fired = runtime.now()
    end)
    env:close()
    assert.matches("its environment is closed", support.raised(env.clock.advance, env.clock, 1))
    support.eventually(function()
      return fired
    end)
    assert.is_true(fired >= before + 100005 and runtime.now() >= fired)
  end)

  it("is shared by the environments that are open", function()
    local one, other = createTestEnv(), createTestEnv()
    one.clock:advance(10)
    one:close()
    assert.equal(10, other.clock:now())
    other.clock:advance(5)
    assert.equal(15, other.clock:now())
  end)

  it("refuses what is no time, and two who move it at once", function()
    local env = createTestEnv()
    for _, wrong in ipairs { -1, 0 / 0, 1.5, "1", 1e13 } do
      local text = support.raised(function()
        env.clock:advance(wrong)
      end)
      assert.matches("testing_spec.lua:%d+: clock:advance takes whole milliseconds from 0 to 1e12, not", text)
    end
    local refused
    painda.after(5, function()
      refused = support.raised(env.clock.advance, env.clock, 1)
    end)
    env.clock:advance(10)
    assert.matches("is being advanced already, by another task", refused)
  end)

  it("can be left running", function()
    local env = createTestEnv { clock = false }
    assert.is_false(env.clock)
    painda.sleep(1)
  end)
end)

describe("an environment", function()
  it("has a server, and a client that connects when it is first asked for", function()
    local env = createTestEnv { real = true }
    env.server:on("connection", function(client)
      client:emit("system", "welcome")
    end)
    assert.equal("welcome", waitForMessage(env.client, "system").payload)
    assert.equal(env.client, env.client)
    assert.equal(1, #env.server:getClients())
    assert.equal(("ws://127.0.0.1:%d/"):format(env.server.port), env.url)
  end)
end)
