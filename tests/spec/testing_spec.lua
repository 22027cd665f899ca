local painda = require "painda"
local runtime = require "painda.core.runtime"
local support = require "support"
local testing = require "painda.testing"
local clocks = require "painda.testing.clock"

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
  for _, real in ipairs { false, true } do
    describe(real and "with sockets" or "with virtual clients", function()
      it("has a server, and a client that connects when it is first asked for", function()
        local env = createTestEnv { real = real }
        env.server:on("connection", function(client)
          client:emit("system", "welcome")
        end)
        assert.equal(0, #env.clients)
        assert.equal("welcome", waitForMessage(env.client, "system").payload)
        assert.equal(env.client, env.client)
        assert.equal(env.client, env.clients[1])
        assert.equal(1, #env.server:getClients())
        assert.equal(("ws://127.0.0.1:%d/"):format(env.server.port), env.url)
      end)

      it("has as many clients as are asked for", function()
        local env = createTestEnv { real = real }
        local clients = testing.createTestClients(env, 3)
        assert.equal(3, #clients)
        assert.equal(3, #env.server:getClients())
        env:connect()
        assert.equal(4, #env.clients)
        local others = testing.createTestClients(env.server, 2, { real = real })
        assert.equal(6, #env.server:getClients())
        for _, client in ipairs(others) do
          client:close()
        end
      end)

      it("keeps clients connected through heartbeats, however far the clock is moved", function()
        local env = createTestEnv { real = real, heartbeat = { interval = 1000, timeout = 300 } }
        local ends = support.record(env.client, "disconnect")
        env.clock:advance(60000)
        assert.same({}, ends)
        assert.is_true(env.client:isConnected())
      end)

      it("closes its clients and its server, and gives the clock back, once", function()
        local env = createTestEnv { real = real }
        local client, port = env.client, env.server.port
        env:close()
        env:close()
        assert.is_false(client:isConnected())
        assert.is_true(env.server.closed)
        assert.is_false(clocks.is_held())
        painda.PPServer({ port = port, host = "127.0.0.1" }):close()
      end)
    end)
  end

  it("takes the options of a server, and says which it does not know", function()
    local env = createTestEnv { maxPayload = 5000 }
    assert.equal(5000, env.server.options.maxPayload)
    assert.matches('testing_spec.lua:%d+: .*PPServer has no option "maxPayloud"', support.raised(function()
      createTestEnv { maxPayloud = 1 }
    end))
    assert.matches('createTestEnv option "real"', support.raised(createTestEnv, { real = 1 }))
    env:close()
    assert.is_false(clocks.is_held())
  end)

  it("has clients with options of their own", function()
    local env = createTestEnv()
    assert.equal("anna", env:connect({ id = "anna" }).id)
    assert.equal("t", env.server:getClient(env:connect({ id = "bert", token = "t" }).id).handshake.token)
    assert.matches("no option", support.raised(env.connect, env, { tokn = 1 }))
  end)

  it("says why a client does not connect", function()
    local env = createTestEnv()
    env:connect { id = "anna" }
    local text = support.raised(function()
      env:connect { id = "anna" }
    end)
    assert.equal("createTestClients: the client did not connect: virtual:anna: the id anna is taken", text)
  end)
end)

describe("waitForMessage", function()
  it("takes what has come already, and each message once", function()
    local env = createTestEnv()
    local socket = env.server:getClient(env.client.id)
    for i = 1, 3 do
      socket:emit("n", i)
      socket:emit("other", i)
    end
    env.clock:advance(0)
    assert.equal(1, waitForMessage(env.client, "n").payload)
    assert.equal(2, waitForMessage(env.client, "n").payload)
    local third = waitForMessage(env.client, function(message)
      return message.payload == 3
    end)
    assert.equal("n", third.type)
    assert.equal("other", waitForMessage(env.client).type)
  end)

  it("waits for what comes later, and gives its ack", function()
    local env = createTestEnv()
    local socket, answer = env.server:getClient(env.client.id), nil
    painda.spawn(function()
      answer = socket:request("question", 4)
    end)
    local message, ack = waitForMessage(env.client, "question")
    ack(nil, message.payload + 1)
    testing.waitFor(function()
      return answer == 5
    end)
  end)

  it("says what came instead, at the line of the test", function()
    local env = createTestEnv()
    local socket = env.server:getClient(env.client.id)
    for _, mtype in ipairs { "hello", "chat", "chat" } do
      socket:emit(mtype)
    end
    env.clock:advance(0)
    local function wait()
      waitForMessage(env.client, "system", 5)
    end
    local said = 'testing_spec.lua:%d+: no "system" came within 5 ms; what came instead: "hello", "chat" ×2$'
    assert.matches(said, support.raised(wait))
    local text = support.raised(waitForMessage, env:connect(), nil, 5)
    assert.matches("no message that is looked for came within 5 ms; what came instead: nothing", text)
  end)

  it("listens to a namespace's handle and to clients of others", function()
    local env = createTestEnv()
    env.server:of("/admin"):on("ask", function(_, answer)
      answer(nil, true)
    end)
    local admin = env.client:of "/admin"
    painda.spawn(function()
      assert(admin:request "ask")
      env.server:of("/admin"):broadcast { type = "news", payload = 1 }
    end)
    assert.equal(1, waitForMessage(admin, "news").payload)
    local own = painda.PPVirtualClient("own"):connect(env.server)
    env.clock:advance(0)
    painda.spawn(function()
      env.server:emit("late", 2)
    end)
    assert.equal(2, waitForMessage(own, "late").payload)
  end)

  it("refuses what it can't wait for", function()
    local env = createTestEnv()
    assert.matches("waitForMessage takes a client first, not a nil", support.raised(waitForMessage, nil, "x"))
    assert.matches("takes the type of a message or a function", support.raised(waitForMessage, env.client, 5))
    assert.matches("takes the milliseconds that it may take", support.raised(waitForMessage, env.client, "x", -1))
  end)
end)

describe("collectMessages", function()
  local env, socket

  before_each(function()
    env = createTestEnv()
    socket = env.server:getClient(env.client.id)
  end)

  it("gives a list that grows", function()
    local all, some = testing.collectMessages(env.client), testing.collectMessages(env.client, "n")
    for i = 1, 3 do
      socket:emit("n", i)
      socket:emit("m", i)
    end
    assert.equal(0, #all)
    assert.equal(some, some:wait(3))
    all:wait(6)
    assert.same({ 1, 2, 3 }, { some[1].payload, some[2].payload, some[3].payload })
    assert.equal("m", all[2].type)
    assert.matches("testing_spec.lua:%d+: 3 of 4 messages came within 5 ms", support.raised(function()
      some:wait(4, 5)
    end))
  end)

  it("waits for so many", function()
    for i = 1, 5 do
      socket:emit("n", i)
    end
    local list = testing.collectMessages(env.client, 3)
    assert.same({ 1, 2, 3 }, { list[1].payload, list[2].payload, list[3].payload })
    assert.equal(4, waitForMessage(env.client).payload)
    local text = support.raised(testing.collectMessages, env.client, 3, 5)
    assert.matches('1 of 3 messages came within 5 ms: "n"', text)
  end)
end)

describe("waitFor", function()
  it("returns what the predicate does, once it is true", function()
    local n = 0
    assert.equal(3, testing.waitFor(function()
      n = n + 1
      return n == 3 and n
    end))
  end)

  it("goes by real time, whatever the clock of the test", function()
    createTestEnv()
    assert.matches("testing_spec.lua:%d+: waitFor: it did not come true within 5 ms", support.raised(function()
      testing.waitFor(function() end, 5)
    end))
  end)

  it("raises what the predicate raised last", function()
    assert.matches("not yet 2", support.raised(testing.waitFor, function()
      error "not yet 2"
    end, 5))
    assert.matches("takes a function, not a nil", support.raised(testing.waitFor))
  end)
end)

describe("under painda test", function()
  local shared, left

  setup(function()
    shared = createTestEnv()
  end)

  it("an environment ends with its test", function()
    left = createTestEnv()
    assert.is_not_nil(left.client)
  end)

  it("and only it", function()
    assert.is_true(left.closed)
    assert.is_false(shared.closed)
    shared.clock:advance(1)
  end)
end)

it("the clock is given back with the block that held it", function()
  assert.is_false(clocks.is_held())
end)
