local painda = require "painda"
local runtime = require "painda.core.runtime"
local task = require "painda.task"
local support = require "support"

describe("sleeping", function()
  it("lets other tasks run meanwhile", function()
    local order = {}
    local done = task.waiter()
    painda.spawn(function()
      order[#order + 1] = "a1"
      painda.sleep(20)
      order[#order + 1] = "a2"
      done:wake(true)
    end)
    painda.spawn(function()
      order[#order + 1] = "b1"
      painda.sleep(0)
      order[#order + 1] = "b2"
    end)
    assert.is_true(done:wait(5000))
    assert.same({ "a1", "b1", "b2", "a2" }, order)
  end)

  it("takes as long as was asked for, at least", function()
    local start = runtime.now()
    painda.sleep(30)
    assert.is_true(runtime.now() - start >= 30)
  end)

  it("refuses what is not a time, at the caller's line", function()
    for _, ms in ipairs { -1, 0 / 0, math.huge, "10", {} } do
      local text = support.raised(function()
        painda.sleep(ms)
      end)
      assert.matches("task_spec.lua:%d+: painda.sleep takes milliseconds from 0 to 1e12, not ", text)
    end
  end)

  it("survives pcall and an error after it", function()
    local ok, err = pcall(function()
      painda.sleep(1)
      error("late", 0)
    end)
    assert.is_false(ok)
    assert.equal("late", err)
  end)
end)

describe("a waiter", function()
  it("passes values on, nils among them", function()
    local waiter = task.waiter()
    painda.spawn(function()
      painda.sleep(1)
      waiter:wake(1, nil, "c", nil)
    end)
    local function collect(...)
      return { n = select("#", ...), ... }
    end
    assert.same({ n = 4, 1, nil, "c", nil }, collect(waiter:wait()))
  end)

  it("that was woken before it waits does not wait", function()
    local waiter = task.waiter()
    assert.is_true(waiter:wake("early", nil))
    assert.equal("early", (waiter:wait()))
  end)

  it("is woken once", function()
    local waiter = task.waiter()
    painda.spawn(function()
      assert(waiter:wake "first" == true)
      assert(waiter:wake "second" == false)
    end)
    assert.equal("first", (waiter:wait(1000)))
    assert.is_false(waiter:wake "third")
  end)

  it("gives up after its time", function()
    local waiter = task.waiter()
    local value, err = waiter:wait(5)
    assert.is_nil(value)
    assert.equal("timeout", err)
    assert.is_false(waiter:wake "late")
  end)

  it("that was woken in time does not hear of the time again", function()
    local waiter = task.waiter()
    painda.after(1, function()
      waiter:wake "in time"
    end)
    assert.equal("in time", (waiter:wait(20)))
    painda.sleep(30)
  end)

  it("may be woken from the task that it wakes next", function()
    local a, b = task.waiter(), task.waiter()
    painda.spawn(function()
      a:wait()
      b:wake "through"
    end)
    a:wake()
    assert.equal("through", (b:wait(1000)))
  end)
end)

describe("waiting where it is not possible", function()
  it("is said in words: inside a sort", function()
    local text = support.raised(function()
      table.sort({ 1, 2, 3 }, function()
        painda.sleep(1)
      end)
    end)
    assert.matches("not possible inside a table.sort comparator", text, 1, true)
  end)

  it("is said in words: inside gsub", function()
    local text = support.raised(function()
      ("abc"):gsub(".", function()
        painda.sleep(1)
      end)
    end)
    assert.matches("string.gsub callback", text, 1, true)
  end)

  it("is said in words: inside a coroutine of the application's own", function()
    local _, text = coroutine.resume(coroutine.create(function()
      painda.sleep(1)
    end))
    assert.matches("only a handler or a task of painda.spawn can do", text, 1, true)
  end)

  it("wakes nobody later: the task may wait for something else by then", function()
    pcall(table.sort, { 1, 2 }, function()
      painda.sleep(1)
    end)
    local waiter = task.waiter()
    painda.after(30, function()
      waiter:wake "its own"
    end)
    assert.equal("its own", (waiter:wait(5000)))
  end)
end)

describe("spawn", function()
  it("starts at once and passes its arguments", function()
    local got
    painda.spawn(function(...)
      got = { n = select("#", ...), ... }
    end, 1, nil, 3, nil)
    assert.same({ n = 4, 1, nil, 3, nil }, got)
  end)

  it("takes a function", function()
    assert.equal("painda.spawn takes a function, not a nil", support.message(painda.spawn))
  end)

  it("runs many tasks that wait, all to their end", function()
    local ended, all = 0, task.waiter()
    for i = 1, 1000 do
      painda.spawn(function()
        painda.sleep(i % 7)
        ended = ended + 1
        if ended == 1000 then
          all:wake(true)
        end
      end)
    end
    assert.is_true(all:wait(10000))
  end)

  it("contains the errors of its task", function()
    local errors = runtime.stats().handlerErrors
    runtime.set_log_level "silent"
    painda.spawn(error, "on purpose")
    painda.spawn(function()
      painda.sleep(1)
      error "on purpose, later"
    end)
    painda.spawn(function()
      coroutine.yield "to nobody"
    end)
    painda.sleep(10)
    runtime.set_log_level "warn"
    assert.equal(errors + 3, runtime.stats().handlerErrors)
  end)

  it("keeps account of who waits", function()
    painda.sleep(1) -- from here on, whoever awaits this test is counted
    local before = runtime.stats().tasksWaiting
    local waiter = task.waiter()
    painda.spawn(function()
      waiter:wait()
    end)
    assert.equal(before + 1, runtime.stats().tasksWaiting)
    waiter:wake()
    painda.sleep(1)
    assert.equal(before, runtime.stats().tasksWaiting)
  end)
end)
