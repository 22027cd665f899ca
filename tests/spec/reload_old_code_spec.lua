-- What becomes of code that was replaced, or given up, while some of it still ran.

local painda = require "painda"
local log = require "painda.log"
local reload = require "painda.reload"
local support = require "support"
local task = require "painda.task"

local HOST = "127.0.0.1"

local function generation(load)
  local ok, err = reload.run(load)
  assert(ok, err)
  return err
end

local function fails(load, limit)
  log.set_level "silent"
  local ok, err = reload.run(load, limit)
  log.set_level "warn"
  assert.is_nil(ok)
  return err
end

describe("code that was replaced while it waited", function()
  local server, client, socket, go

  -- An application of which a version answers "who" with its name.
  local function app(name, more)
    return function()
      server = painda.PPServer { port = 0, host = HOST }
      server:on("who", function(_, _, answer)
        answer(nil, name)
      end)
      if more then
        more(name)
      end
    end
  end

  local function connect()
    client, socket = support.connect(server)
    reload.forget(client) -- it stands for another process
  end

  before_each(function()
    go = task.waiter()
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  -- Has the old version wait in a handler, and the new one serve when it goes on with `then_do(client)`.
  local function goes_on(then_do)
    local done = task.waiter()
    generation(app("old", function()
      server:on("wait", function(from)
        go:wait()
        then_do(from)
        done:wake(true)
      end)
    end))
    connect()
    client:emit "wait"
    painda.sleep(10)
    generation(app "new")
    go:wake()
    assert.is_true(done:wait(5000))
  end

  it("registers nothing with the server any more", function()
    goes_on(function()
      server:on("late", function(_, _, answer)
        answer(nil, "old")
      end)
      server:use(function(_, next)
        next "refused by the old"
      end)
      server:onAny(function()
        error "it was called"
      end)
    end)
    local _, err = client:request("late", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
    assert.equal("new", client:request "who")
    local other = support.connect(server)
    other:close()
  end)

  it("listens to no client any more, and silences no other code", function()
    goes_on(function(from)
      from:on("own", function(_, answer)
        answer(nil, "old")
      end)
      from:once("own", error)
      from:onAny(error)
      from:off "own"
      from:offAny()
    end)
    local _, err = client:request("own", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
  end)

  it("starts no timer any more, nor do tasks that it spawns", function()
    local calls = 0
    goes_on(function()
      local function call()
        calls = calls + 1
      end
      assert.is_false(painda.every(1, call):cancel())
      painda.after(0, call)
      painda.spawn(function()
        painda.sleep(1)
        painda.after(0, call)
      end)
    end)
    painda.sleep(20)
    assert.equal(0, calls)
  end)

  it("makes rooms, which are state, and has no handlers there", function()
    local heard = 0
    goes_on(function(from)
      local room = server:room("made-late", { n = 1 })
      room:on("join", function()
        heard = heard + 1
      end)
      room:join(from)
    end)
    assert.is_true(server:getRoom("made-late"):has(socket))
    assert.equal(0, heard)
  end)

  it("answers a connection that it was told of, and leaves its listeners to the new code", function()
    local function handler(name)
      server:on("connection", function(from)
        if name == "old" then
          go:wait()
        end
        from:on("own", function(n, answer)
          answer(nil, name .. n)
        end)
      end)
    end
    generation(app("old", handler))
    connect()
    generation(app("new", handler))
    go:wake()
    painda.sleep(5)
    assert.equal("new1", client:request("own", 1))
  end)

  it("hears the answers that it asked for, and registers nothing then", function()
    local answered = task.waiter()
    generation(app("old", function()
      server:on("ask", function(from)
        from:emit("question", nil, function(_, answer)
          from:on("own", error)
          painda.every(1, error)
          answered:wake(answer)
        end)
      end)
    end))
    connect()
    client:on("question", function(_, answer)
      go:wait()
      answer(nil, "an answer")
    end)
    client:emit "ask"
    painda.sleep(10)
    generation(app "new")
    go:wake()
    assert.equal("an answer", (answered:wait(5000)))
    local _, err = client:request("own", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
  end)

  it("hears the answers that it asks for later, too", function()
    local answered = task.waiter()
    local function hear(from)
      from:emit("question", nil, function(_, answer)
        from:on("own", error)
        answered:wake(answer)
      end)
    end
    goes_on(function(from)
      client:on("question", function(_, answer)
        answer(nil, "late")
      end)
      hear(from)
    end)
    assert.equal("late", (answered:wait(5000)))
    local _, err = client:request("own", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
  end)

  -- The message that waits in `ask_old` (what the old version asks it in) is handled by the old version whole.
  local function handled_whole(ask_old, ns)
    local function handlers(name)
      local place = ns and server:of(ns) or server
      place:on("connection", function(from)
        from:on("m", function(_, answer)
          (ns and answer or answer)(nil, name)
        end)
      end)
      if name == "old" then
        ask_old(place)
      end
    end
    generation(app("old", handlers))
    connect()
    local from = ns and client:of(ns) or client
    local answer = task.waiter()
    from:emit("m", nil, function(_, response)
      answer:wake(response)
    end)
    painda.sleep(10)
    generation(app("new", handlers))
    assert.equal("new", from:request "m")
    go:wake()
    assert.equal("old", (answer:wait(5000)))
    assert.equal("new", from:request "m")
    assert.is_false(socket._left)
  end

  it("handles what waited in its message middleware", function()
    handled_whole(function(place)
      place:useMessage(function(_, message, next)
        if message.type == "m" then
          go:wait()
        end
        next()
      end)
    end)
  end)

  it("handles what waited in a hook of its plugins", function()
    handled_whole(function()
      server:register {
        name = "slow",
        install = function()
          return {
            onMessage = function(_, message)
              if message.type == "m" then
                go:wait()
              end
            end,
          }
        end,
      }
    end)
  end)

  it("handles what waited in the message middleware of its namespace", function()
    handled_whole(function(place)
      place:useMessage(function(_, _, next)
        go:wait()
        next()
      end)
    end, "/game")
  end)

  it("leaves a message to the new code that waited for its client to be let into a namespace", function()
    local asked = {}
    local function handlers(name)
      server:useMessage(function(_, _, next)
        asked[#asked + 1] = name
        next()
      end)
      local place = server:of "/game"
      place:use(function(_, next)
        if name == "old" then
          go:wait()
        end
        next()
      end)
      place:on("m", function(_, answer)
        answer(nil, name)
      end)
    end
    generation(app("old", handlers))
    connect()
    local answer = task.waiter()
    client:of("/game"):emit("m", nil, function(_, response)
      answer:wake(response)
    end)
    painda.sleep(10)
    generation(app("new", handlers))
    go:wake()
    assert.equal("new", (answer:wait(5000)))
    assert.same({ "old", "new" }, asked)
  end)

  it("greets nobody twice: plugins meet a client that waited in middleware once in each version", function()
    local met = {}
    local function handlers(name)
      server:register {
        name = "meets",
        install = function()
          return {
            onConnect = function()
              met[#met + 1] = name
              if name == "old" then
                go:wait()
              end
            end,
          }
        end,
      }
      server:on("connection", function(from)
        met[#met + 1] = "handler of the " .. name .. tostring(from.reloaded)
      end)
    end
    generation(app("old", handlers))
    client = painda.PPClient { url = support.url(server), reconnect = false }
    reload.forget(client)
    support.event(client, "connect")
    support.eventually(function()
      return #met == 1
    end)
    generation(app("new", handlers))
    go:wake()
    support.eventually(function()
      return #met == 3
    end)
    assert.same({ "old", "new", "handler of the newnil" }, met)
  end)

  it("is known by its generation in the log", function()
    local shown
    local faults = require "painda.faults"
    local report = faults.report
    faults.report = function(_, _, _, _, of)
      shown = of and of.number
    end
    local number
    generation(app("old", function()
      number = reload.generation().number
    end))
    goes_on(function()
      painda.spawn(function()
        painda.sleep(1)
        error "on purpose"
      end)
    end)
    support.eventually(function()
      return shown ~= nil
    end)
    faults.report = report
    assert.equal(number + 1, shown)
  end)
end)

describe("a version that was given up", function()
  it("has no tasks that go on", function()
    local steps = 0
    fails(function()
      painda.spawn(function()
        while true do
          steps = steps + 1
          painda.sleep(1)
        end
      end)
      painda.sleep(5)
      error "on purpose"
    end)
    local so_far = steps
    assert.is_true(so_far > 0)
    painda.sleep(20)
    assert.equal(so_far, steps)
  end)

  it("has no tables of painda.state", function()
    fails(function()
      painda.state("of-a-failure", { 1 })
      error "on purpose"
    end)
    assert.same({}, painda.state "of-a-failure")
  end)

  it("may have taken too long", function()
    local err = fails(function()
      painda.sleep(60000)
    end, 20)
    assert.matches("^it was not loaded within 20 ms, and waits\n.*reload_old_code_spec.lua:%d+", err)
    generation(function() end)
  end)

  it("does not listen to clients that are served", function()
    local server = support.server()
    local client, socket = support.connect(server)
    local err = fails(function()
      socket:on("x", error)
    end)
    assert.matches("client:on while the application is loaded: do it in a connection handler", err, 1, true)
    client:close()
    server:close()
  end)

  it("can't be loaded beside another", function()
    local err
    generation(function()
      err = fails(function() end)
    end)
    assert.equal("a reload is under way", err)
  end)
end)

describe("a generation", function()
  it("is freed when nothing of it is left, and counted until then", function()
    local function alive()
      collectgarbage()
      collectgarbage()
      return reload.current and require("painda.reload.tasks").alive()
    end
    generation(function() end)
    local before = alive()
    local go = task.waiter()
    generation(function(new)
      painda.spawn(setfenv(function()
        go:wait()
      end, new.env))
    end)
    generation(function() end)
    assert.equal(before + 1, alive())
    go:wake()
    support.eventually(function()
      return alive() <= before
    end)
  end)

  it("tells of tasks that go on and on", function()
    local told = {}
    local warn = log.warn
    log.warn = function(text)
      told[#told + 1] = text
    end
    local go = task.waiter()
    for _ = 1, 10 do
      generation(function(new)
        painda.spawn(setfenv(function()
          while not go.done do
            painda.sleep(1)
          end
        end, setmetatable({ go = go, painda = painda }, { __index = new.env })))
      end)
    end
    log.warn = warn
    go:wake()
    support.eventually(function()
      return require("painda.reload.tasks").waiting() < 8
    end)
    assert.matches("^tasks of %d+ old generations wait still", told[1])
  end)
end)
