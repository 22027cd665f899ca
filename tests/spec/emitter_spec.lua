local emitter = require "painda.emitter"
local support = require "support"

describe("listeners", function()
  local listeners, calls

  before_each(function()
    listeners, calls = {}, {}
  end)

  local function noting(name)
    return function()
      calls[#calls + 1] = name
    end
  end

  local function tell(name)
    local list = {}
    local n = emitter.collect(listeners, name, list, 0)
    for i = 1, n do
      list[i]()
    end
    return n
  end

  it("are heard in the order in which they came", function()
    for _, name in ipairs { "a", "b", "c" } do
      emitter.add(listeners, "x", noting(name))
    end
    assert.equal(3, tell "x")
    assert.same({ "a", "b", "c" }, calls)
    assert.equal(0, tell "y")
  end)

  it("are one function where there is one, which costs no list", function()
    local fn = noting "a"
    emitter.add(listeners, "x", fn)
    assert.equal(fn, listeners.x)
  end)

  it("that listen once are heard once", function()
    emitter.add(listeners, "x", noting "once", true)
    emitter.add(listeners, "x", noting "always")
    tell "x"
    tell "x"
    assert.same({ "once", "always", "always" }, calls)
  end)

  it("may be the same function twice", function()
    local fn = noting "a"
    emitter.add(listeners, "x", fn)
    emitter.add(listeners, "x", fn, true)
    emitter.add(listeners, "x", fn)
    assert.equal(3, tell "x")
    assert.equal(2, tell "x")
    assert.is_true(emitter.remove(listeners, "x", fn))
    assert.equal(1, tell "x")
  end)

  it("keep the one that stays, where the same function listens once and always", function()
    local fn = noting "a"
    emitter.add(listeners, "x", fn, true)
    emitter.add(listeners, "x", fn)
    assert.equal(2, tell "x")
    assert.equal(1, tell "x")
    assert.equal(1, tell "x")
  end)

  it("go where they are removed", function()
    local a, b = noting "a", noting "b"
    emitter.add(listeners, "x", a)
    assert.is_false(emitter.remove(listeners, "x", b))
    emitter.add(listeners, "x", b)
    assert.is_true(emitter.remove(listeners, "x", a))
    tell "x"
    assert.same({ "b" }, calls)
    assert.is_false(emitter.remove(listeners, "x", a))
    assert.is_true(emitter.remove(listeners, "x", b))
    assert.is_nil(next(listeners))
    assert.is_false(emitter.remove(listeners, "x", b))
  end)

  it("all go where no function is named", function()
    emitter.add(listeners, "x", noting "a")
    emitter.add(listeners, "x", noting "b")
    assert.is_true(emitter.remove(listeners, "x"))
    assert.is_nil(next(listeners))
  end)

  it("may come and go while they are told", function()
    local function first()
      calls[#calls + 1] = "first"
      emitter.remove(listeners, "x")
      emitter.add(listeners, "x", noting "new")
    end
    emitter.add(listeners, "x", first)
    emitter.add(listeners, "x", noting "second")
    tell "x"
    assert.same({ "first", "second" }, calls)
    tell "x"
    assert.same({ "first", "second", "new" }, calls)
  end)

  it("are counted", function()
    assert.equal(0, emitter.count(listeners))
    emitter.add(listeners, "x", noting "a")
    emitter.add(listeners, "x", noting "b")
    emitter.add(listeners, "y", noting "c")
    assert.equal(3, emitter.count(listeners))
  end)

  it("have a name and a function, or the caller is told", function()
    local function on(name, fn)
      emitter.check("thing:on", name, fn)
    end
    assert.equal("thing:on takes the name of an event, a string that is not empty, not nil", support.message(on, nil))
    assert.matches("not empty", support.message(on, ""))
    assert.equal('thing:on("x", …) takes a function, not a nil', support.message(on, "x"))
  end)
end)
