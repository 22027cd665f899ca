local painda = require "painda"
local reload = require "painda.reload"
local task = require "painda.task"
local log = require "painda.log"
local support = require "support"

local HOST = "127.0.0.1"

-- Loads a generation; fails where it does not commit.
local function generation(load)
  local ok, err = reload.run(load)
  assert(ok, err)
  return err
end

local function quietly(fn, ...)
  log.set_level "silent"
  local results = { n = select("#", ...), fn(...) }
  log.set_level "warn"
  return unpack(results, 1, 4)
end

describe("a generation", function()
  it("has a number, which a failed one does not use up", function()
    local first = generation(function() end)
    quietly(reload.run, error)
    assert.equal(first + 1, generation(function() end))
    assert.equal(first + 1, reload.current.number)
  end)

  it("may wait while it loads, and serves only then", function()
    local before = reload.current
    local seen
    generation(function(new)
      painda.sleep(2)
      seen = { reload.current, reload.generation() == new, reload.is_loading() }
    end)
    assert.same({ before, true, true }, seen)
    assert.is_false(reload.is_loading())
  end)

  it("is loaded by its own task alone: others go on in the old one", function()
    local inside, outside
    local go = task.waiter()
    painda.spawn(function()
      go:wait()
      outside = reload.is_loading()
    end)
    generation(function()
      go:wake()
      painda.sleep(2)
      inside = reload.is_loading()
    end)
    assert.is_true(inside)
    assert.is_false(outside)
  end)

  it("passes on to the tasks that it spawns", function()
    local at_once, later
    local done = task.waiter()
    local new
    generation(function(loading)
      new = loading
      painda.spawn(function()
        at_once = reload.generation()
        painda.sleep(2)
        later = reload.generation()
        done:wake(true)
      end)
    end)
    assert.is_true(done:wait(1000))
    assert.equal(new, at_once)
    assert.equal(new, later)
    for _ = 1, 10 do -- the thread is used again, by others
      painda.spawn(function()
        assert(reload.generation() == reload.current)
      end)
    end
  end)

  it("fails with the error and where it was", function()
    local ok, err = reload.run(function()
      error "on purpose"
    end)
    assert.is_nil(ok)
    assert.matches("reload_spec.lua:%d+: on purpose\nstack traceback:", err)
    ok, err = reload.run(function()
      error(painda.Error "a value")
    end)
    assert.is_nil(ok)
    assert.matches("^a value\nstack traceback:", err)
  end)

  it("shows the options of a server while it runs", function()
    local seen
    local ok, err = reload.run(function()
      local server = painda.PPServer { port = 0, maxRoomName = 77 }
      seen = server.options.maxRoomName
      server:close()
      error "on purpose"
    end)
    assert.is_nil(ok, err)
    assert.equal(77, seen)
  end)

  it("that fails after it waited is undone as well", function()
    local before = reload.current
    local ok = reload.run(function()
      painda.sleep(1)
      error "late"
    end)
    assert.is_nil(ok)
    assert.equal(before, reload.current)
    assert.is_false(reload.is_loading())
  end)
end)

describe("a server through generations", function()
  local server, client, socket, got

  -- The application of a generation: it answers with its name.
  local function app(name, port)
    return function()
      server = painda.PPServer { port = port or 0, host = HOST }
      server:on("who", function(_, _, answer)
        answer(nil, name)
      end)
      server:on("connection", function(from)
        from:on("mine", function(_, answer)
          answer(nil, name)
        end)
      end)
    end
  end

  -- A client ends with the generation that made it; this one stands for another process.
  local function connect_from_outside()
    local made, its_socket = support.connect(server)
    reload.forget(made)
    return made, its_socket
  end

  before_each(function()
    generation(app "one")
    client, socket = connect_from_outside()
    got = support.record(client, "close")
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  it("is the same object, with its clients and their data", function()
    local old = server
    socket.data.name = "Ann"
    socket:setTag("team", "red")
    generation(app "two")
    assert.equal(old, server)
    assert.equal(socket, server:getClient(socket.id))
    assert.equal("Ann", socket.data.name)
    assert.equal("red", socket:getTag "team")
    assert.equal(0, #got)
  end)

  it("answers with the new handlers, and the old ones are gone", function()
    assert.equal("one", client:request "who")
    assert.equal("one", client:request "mine")
    generation(app "two")
    assert.equal("two", client:request "who")
    assert.equal("two", client:request "mine")
    generation(function()
      painda.PPServer { port = 0, host = HOST }
    end)
    local _, err = client:request("who", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
    _, err = client:request("mine", nil, 20)
    assert.equal("TIMEOUT_ERROR", err.code)
  end)

  it("tells the connection handlers of the open clients again", function()
    local seen = {}
    generation(function()
      local again = painda.PPServer { port = 0, host = HOST }
      again:on("connection", function(from)
        seen[#seen + 1] = { from, from.reloaded }
      end)
    end)
    support.eventually(function()
      return #seen > 0
    end)
    assert.same({ { socket, true } }, seen)
    local other, other_socket = connect_from_outside()
    assert.is_nil(other_socket.reloaded)
    other:close()
  end)

  it("lets a handler that waits finish on the code that it began with", function()
    local go = task.waiter()
    server:on("slow", function(_, _, answer)
      go:wait()
      answer(nil, "from the old")
    end)
    local answer = task.waiter()
    client:emit("slow", nil, function(_, response)
      answer:wake(response)
    end)
    painda.sleep(20)
    generation(app "two")
    go:wake()
    assert.equal("from the old", (answer:wait(5000)))
    assert.equal("two", client:request "who")
  end)

  it("loses no message and hears none twice, whatever is swapped meanwhile", function()
    local heard = {}
    local function counting()
      server = painda.PPServer { port = 0, host = HOST }
      server:on("n", function(_, n)
        heard[n] = (heard[n] or 0) + 1
      end)
    end
    generation(counting)
    local sent, more = 0, true
    painda.spawn(function()
      while more do
        for _ = 1, 20 do
          sent = sent + 1
          client:emit("n", sent)
        end
        painda.sleep(1)
      end
    end)
    for _ = 1, 20 do
      painda.sleep(2)
      generation(counting)
    end
    more = false
    support.eventually(function()
      return heard[sent] == 1
    end)
    for n = 1, sent do
      assert.equal(1, heard[n])
    end
  end)

  it("stays as it was where the next generation fails", function()
    local ok = reload.run(function()
      local again = painda.PPServer { port = 0, host = HOST, maxTags = 1 }
      again:on("who", function(_, _, answer)
        answer(nil, "broken")
      end)
      error "on purpose"
    end)
    assert.is_nil(ok)
    assert.equal("one", client:request "who")
    assert.equal("one", client:request "mine")
    assert.equal(64, server.options.maxTags)
    assert.equal(0, #got)
  end)

  it("takes the options of the next generation", function()
    generation(function()
      painda.PPServer { port = 0, host = HOST, maxTags = 1 }
    end)
    assert.equal(1, server.options.maxTags)
    socket:setTag "a"
    assert.has_error(function()
      socket:setTag "b"
    end)
  end)

  it("closes where the next generation does not ask for it", function()
    generation(function() end)
    support.eventually(function()
      return #got == 1
    end)
    assert.equal(1001, got[1][1])
    assert.is_nil(next(reload.objects))
  end)

  it("that only a failed generation opened is closed again", function()
    local other
    reload.run(function()
      other = painda.PPServer { port = 0, host = "127.0.0.2" }
      error "on purpose"
    end)
    local probe = painda.PPClient { url = ("ws://127.0.0.2:%d"):format(other.port), reconnect = false }
    local err = support.event(probe, "error")
    assert.is_truthy(err)
    probe:close()
  end)

  it("accepts nobody before its generation serves", function()
    local other, state
    generation(function()
      other = painda.PPServer { port = 0, host = "127.0.0.2" }
      local probe = painda.PPClient { url = ("ws://127.0.0.2:%d"):format(other.port), reconnect = false }
      other:on("connection", function(from)
        from:emit "hello"
      end)
      painda.sleep(20)
      state = probe.state
      probe:on("hello", function()
        state = "greeted"
      end)
    end)
    assert.equal("connecting", state)
    support.eventually(function()
      return state == "greeted"
    end)
  end)
end)

describe("servers on any free port", function()
  it("are as many as were asked for, and each is found again", function()
    local a, b
    local function app()
      a, b = support.server(), support.server()
    end
    generation(app)
    local old_a, old_b = a, b
    assert.not_equal(a, b)
    assert.not_equal(a.port, b.port)
    generation(app)
    assert.equal(old_a, a)
    assert.equal(old_b, b)
    a:close()
    b:close()
  end)
end)

describe("timers of a generation", function()
  it("end with it", function()
    local old, new = 0, 0
    generation(function()
      painda.every(1, function()
        old = old + 1
      end)
      painda.after(30, function()
        old = -1000
      end)
    end)
    support.eventually(function()
      return old > 2
    end)
    generation(function()
      painda.every(1, function()
        new = new + 1
      end)
    end)
    local then_old = old
    painda.sleep(50)
    assert.equal(then_old, old)
    assert.is_true(new > 2)
    generation(function() end)
  end)

  it("begin once it serves", function()
    local calls, at_commit = 0, nil
    generation(function()
      painda.after(0, function()
        calls = calls + 1
      end)
      painda.after(0, function()
        calls = calls + 100
      end):cancel()
      painda.sleep(10)
      at_commit = calls
    end)
    assert.equal(0, at_commit)
    painda.sleep(10)
    assert.equal(1, calls)
  end)

  it("never begin where it fails", function()
    local calls = 0
    reload.run(function()
      painda.every(1, function()
        calls = calls + 1
      end)
      painda.sleep(5)
      error "on purpose"
    end)
    painda.sleep(10)
    assert.equal(0, calls)
  end)
end)

describe("unloading", function()
  it("calls what the old generation asked for, once, after the swap", function()
    local calls = {}
    local number = generation(function()
      reload.on_unload(function()
        calls[#calls + 1] = reload.current.number
      end)
    end)
    assert.same({}, calls)
    generation(function() end)
    generation(function() end)
    assert.same({ number + 1 }, calls)
  end)

  it("is not stopped by an error", function()
    local called = false
    generation(function()
      reload.on_unload(function()
        error "on purpose"
      end)
      reload.on_unload(function()
        called = true
      end)
    end)
    quietly(generation, function() end)
    assert.is_true(called)
  end)

  it("takes back what a failed generation did", function()
    local called = 0
    reload.run(function()
      reload.on_unload(function()
        called = called + 1
      end)
      error "on purpose"
    end)
    assert.equal(1, called)
  end)
end)

describe("painda.state", function()
  it("is made once, and stays", function()
    local made = 0
    local function app()
      painda.state("scores", function()
        made = made + 1
        return { n = 1 }
      end).n = made
    end
    generation(app)
    local scores = painda.state "scores"
    generation(app)
    assert.equal(scores, painda.state "scores")
    assert.equal(1, made)
  end)

  it("is an empty table, a given one, or what a function returns", function()
    assert.same({}, painda.state "a")
    local given = { 1 }
    assert.equal(given, painda.state("b", given))
    assert.equal(given, painda.state("b", { 2 }))
    assert.same({}, painda.state("c", function() end))
  end)

  it("has a name", function()
    assert.matches("painda.state takes a name", support.raised(painda.state), 1, true)
    assert.matches("painda.state takes a name", support.raised(painda.state, ""), 1, true)
  end)
end)

describe("a virtual client", function()
  it("connects when its generation serves, and makes room for the next one's of the same id", function()
    local server, bot
    local function load(version)
      return function()
        server = painda.PPServer { port = 0, host = HOST }
        bot = painda.PPVirtualClient "dealer"
        bot.version = version
        bot:connect(server)
        painda.sleep(2)
        assert(bot.state == "connecting")
      end
    end
    local function is_there(client)
      return client:isConnected() and server:getClient "dealer" ~= nil and #server:getClients() == 1
    end
    generation(load(1))
    local first = bot
    support.eventually(function()
      return is_there(first)
    end)
    local ends = support.record(first, "disconnect")

    quietly(reload.run, function()
      load(2)()
      error "on purpose"
    end)
    assert.equal("closed", bot.state)
    assert.is_true(is_there(first))

    generation(load(3))
    assert.same({ { "client disconnect", 1001, "application reloaded" } }, ends)
    support.eventually(function()
      return is_there(bot) and bot.version == 3
    end)
    generation(function() end)
  end)
end)

describe("servers that are swapped together", function()
  it("have all of the new code before any of it is called", function()
    local servers, seen = {}, {}
    local function app()
      for i = 1, 4 do
        servers[i] = support.server()
        servers[i]:on("connection", function()
          for k = 1, 4 do
            seen[#seen + 1] = servers[k]._registered.generation == reload.current
          end
        end)
      end
    end
    generation(app)
    local clients = {}
    for i = 1, 4 do
      clients[i] = support.connect(servers[i])
      reload.forget(clients[i])
    end
    seen = {}
    generation(app)
    assert.equal(16, #seen)
    for _, is_new in ipairs(seen) do
      assert.is_true(is_new)
    end
    for _, client in ipairs(clients) do
      client:close()
    end
    generation(function() end)
  end)
end)
