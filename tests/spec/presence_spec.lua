local painda = require "painda"
local support = require "support"
local testing = require "painda.testing"

local encode = painda.json.encode

-- A tracked client's side: everything that `presence` tells it.
local function watch(server, options)
  local client, socket = support.connect(server, options)
  return { client = client, socket = socket, seen = support.record(client, "presence") }
end

local function names(list)
  local out = {}
  for i, entry in ipairs(list) do
    out[i] = entry.data.name
  end
  return table.concat(out, " ")
end

describe("server.presence", function()
  local server, presence, clock, interval

  local function start(options)
    local env = testing.createTestEnv { presence = options }
    server, clock, interval = env.server, env.clock, options.syncInterval
    presence = server.presence
  end

  -- Waits for what comes at the next interval.
  local function after_interval(check)
    clock:advance(interval)
    support.eventually(check)
  end

  before_each(function()
    start { syncInterval = 10 }
  end)

  it("holds who is tracked, with the data, in the order of coming", function()
    local _, a = support.connect(server)
    local _, b = support.connect(server)
    assert.is_true(presence:track(a, { name = "Ann" }))
    assert.is_true(presence:track(b.id, { name = "Bob" }))
    assert.equal(2, presence:count())
    assert.equal(2, server:getStats().presenceTracked)
    assert.equal("Ann Bob", names(presence:list()))
    local entry = presence:get(a)
    assert.equal(a.id, entry.clientId)
    assert.same({ name = "Ann" }, entry.data)
    assert.is_true(entry.joinedAt > 1.6e12 and entry.updatedAt == entry.joinedAt)
    assert.is_nil(presence:get "nobody")
    assert.is_true(presence:untrack(a))
    assert.is_false(presence:untrack(a))
    assert.equal("Bob", names(presence:list()))
  end)

  it("takes an empty object where no data is given", function()
    local _, a = support.connect(server)
    presence:track(a)
    assert.equal("{}", encode(presence:get(a).data))
  end)

  it("changes the given keys at an update, and everything at a second track", function()
    local _, a = support.connect(server)
    presence:track(a, { name = "Ann", cursor = { x = 1 } })
    assert.is_true(presence:update(a, { cursor = { x = 2 } }))
    assert.same({ name = "Ann", cursor = { x = 2 } }, presence:get(a).data)
    presence:track(a, { name = "Ann" })
    assert.same({ name = "Ann" }, presence:get(a).data)
    presence:update(a.id, painda.array { 1, 2 })
    assert.same({ 1, 2 }, presence:get(a).data)
    presence:update(a, { x = 1 })
    assert.same({ x = 1 }, presence:get(a).data)
    assert.equal(1, presence:count())
  end)

  it("keeps what it was given, whatever becomes of the table", function()
    local _, a = support.connect(server)
    local data = { name = "Ann", list = { 1 } }
    presence:track(a, data)
    data.name, data.list = "Eve", data
    presence:get(a).data.name = "Mallory"
    assert.is_true(presence:update(a, { x = 1 }))
    presence:update(a, { x = 2 })
    assert.same({ name = "Ann", list = { 1 }, x = 2 }, presence:get(a).data)
  end)

  it("answers for clients that are gone or were never tracked", function()
    local peer, a = support.connect(server)
    assert.same({ nil, "not tracked" }, { presence:update(a, { x = 1 }) })
    presence:track(a, {})
    peer:close()
    after_interval(function()
      return presence:count() == 0
    end)
    assert.same({ nil, "closed" }, { presence:track(a, {}) })
    assert.same({ nil, "closed" }, { presence:track(a.id, {}) })
    assert.same({}, presence:list())
  end)

  it("tracks no more than maxTracked", function()
    server:close()
    start { maxTracked = 1 }
    local _, a = support.connect(server)
    local _, b = support.connect(server)
    presence:track(a)
    assert.same({ nil, "1 clients are tracked already (maxTracked)" }, { presence:track(b) })
    presence:untrack(a)
    assert.is_true(presence:track(b))
  end)

  describe("refuses data", function()
    local cyclic = { name = "x" }
    cyclic.parts = { cyclic }
    local deep = {}
    for _ = 1, 60 do
      deep = { deep }
    end
    for what, case in pairs {
      cycles = { cyclic, "data%.parts%[1%]%.parts.*does it contain itself" },
      functions = { { a = { print } }, "data%.a%[1%]: a function cannot be encoded" },
      NaN = { { pos = { x = 0 / 0 } }, "data%.pos%.x: NaN cannot be encoded" },
      ["what is too large"] = { { text = ("x"):rep(1e6) }, "is %d+ bytes as JSON, and maxMetadataSize is 16384" },
      ["what is nested too deep for a message"] = { deep, "nested deeper than 64 levels" },
      ["text that is not UTF-8"] = { { name = "\255" }, "data%.name: the string is not valid UTF%-8" },
    } do
      it("with " .. what .. ", at the caller, and nothing changes", function()
        local _, a = support.connect(server)
        for _, call in ipairs { "track", "update" } do
          presence:untrack(a)
          if call == "update" then
            presence:track(a, { name = "Ann" })
          end
          local text = support.raised(function()
            presence[call](presence, a, case[1])
          end)
          assert.matches("presence_spec.lua:%d+: presence:" .. call .. ": ", text)
          assert.matches(case[2], text)
          assert.equal(call == "update" and "Ann" or "", names(presence:list()))
        end
      end)
    end
  end)

  it("says what is wrong with a call", function()
    local other = support.server()
    local _, foreign = support.connect(other)
    assert.equal("presence:track takes a client or its id, not a nil", support.message(presence.track, presence))
    assert.equal("presence:get was given a client of another server", support.message(presence.get, presence, foreign))
    assert.matches("^call it with a colon: server.presence:count%(…%)", support.message(presence.count))
    assert.equal('presence:on: there is no event "jion", did you mean "join"?',
      support.message(presence.on, presence, "jion", print))
    assert.equal('presence:onChange takes a function, not nil',
      support.message(presence.onChange, presence))
    other:close()
  end)

  it("has options that are checked", function()
    assert.equal('PPServer presence has no option "syncMod", did you mean "syncMode"?',
      support.message(support.server, { presence = { syncMod = "diff" } }))
    assert.matches('PPServer presence option "syncMode" must be one of "full", "diff"',
      support.message(support.server, { presence = { syncMode = "delta" } }), 1, true)
    assert.matches('PPServer option "presence" must be a table',
      support.message(support.server, { presence = true }), 1, true)
  end)

  it("tells join, update and leave at once", function()
    local peer, a = support.connect(server)
    local told = {}
    for _, name in ipairs { "join", "update", "leave" } do
      presence:on(name, function(entry, client)
        told[#told + 1] = { name, entry.data.n, client.id == entry.clientId }
      end)
    end
    presence:track(a, { n = 1 })
    presence:update(a, { n = 2 })
    presence:update(a, { n = 2 }) -- nothing new
    assert.same({ { "join", 1, true }, { "update", 2, true } }, told)
    peer:close()
    after_interval(function()
      return told[3]
    end)
    assert.same({ "leave", 2, true }, told[3])
  end)

  it("no more tells who has stopped listening", function()
    local _, a = support.connect(server)
    local function no()
      error "told"
    end
    presence:on("join", no):off("join", no):onChange(no):off("change")
    presence:track(a)
    clock:advance(30)
  end)
end)

describe("presence, as clients see it", function()
  local server, presence, clock, interval

  local function start(options)
    local env = testing.createTestEnv { presence = options }
    server, clock, interval = env.server, env.clock, options.syncInterval
    presence = server.presence
  end

  -- Waits for what comes at the next interval.
  local function after_interval(check)
    clock:advance(interval)
    support.eventually(check)
  end

  local function count(watcher)
    return #watcher.seen
  end

  it("is the whole list, for the tracked only, where something changed", function()
    start { syncInterval = 20 }
    local a, b, stranger = watch(server), watch(server), watch(server)
    presence:track(a.socket, { name = "Ann" })
    after_interval(function()
      return count(a) == 1
    end)
    assert.equal("Ann", names(a.seen[1][1].presences))
    presence:track(b.socket, { name = "Bob" })
    after_interval(function()
      return count(a) == 2 and count(b) == 1
    end)
    assert.equal("Ann Bob", names(a.seen[2][1].presences))
    clock:advance(80)
    assert.same({ 2, 1, 0 }, { count(a), count(b), count(stranger) })
    presence:sync()
    after_interval(function()
      return count(a) == 3 and count(b) == 2
    end)
    assert.equal(0, count(stranger))
  end)

  it("gathers many updates to one message an interval", function()
    start { syncInterval = 200 }
    local a = watch(server)
    presence:track(a.socket, { n = 0 })
    after_interval(function()
      return count(a) == 1
    end)
    local changes, last = 0, nil
    presence:onChange(function(list)
      changes = changes + 1
      last = list
    end)
    for n = 1, 1000 do
      presence:update(a.socket, { n = n })
    end
    after_interval(function()
      return count(a) == 2
    end)
    assert.equal(1000, a.seen[2][1].presences[1].data.n)
    assert.equal(1, changes)
    assert.equal(1000, last[1].data.n)
  end)

  it("waits for the interval where broadcastOnChange is off", function()
    start { syncInterval = 86400000, broadcastOnChange = false }
    local a = watch(server)
    presence:track(a.socket)
    clock:advance(30)
    assert.equal(0, count(a))
    presence:sync()
    after_interval(function()
      return count(a) == 1
    end)
  end)

  it("runs no timer where nothing changed or nobody is there", function()
    start { syncInterval = 10 }
    local a = watch(server)
    assert.is_false(presence._armed)
    presence:track(a.socket, { n = 1 })
    assert.is_true(presence._armed)
    after_interval(function()
      return count(a) == 1
    end)
    assert.is_false(presence._armed)
    presence:track(a.socket, { n = 1 })
    assert.is_false(presence._armed)
    presence:update(a.socket, { n = 2 })
    presence:untrack(a.socket)
    assert.is_false(presence._armed)
  end)

  it("tells onChange when the last has left", function()
    start { syncInterval = 86400000, broadcastOnChange = false }
    local a = watch(server)
    local lists = {}
    presence:onChange(function(list)
      lists[#lists + 1] = #list
    end)
    presence:track(a.socket)
    presence:untrack(a.socket)
    assert.same({ 0 }, lists)
  end)

  it("takes a namespace's socket for its client", function()
    start { syncInterval = 10 }
    local a = watch(server)
    local waiter = require("painda.task").waiter()
    server:of("/x"):on("connection", function(socket)
      waiter:wake(socket)
    end)
    a.client:of("/x"):emit "hello"
    local inside = assert(waiter:wait(5000))
    assert.is_true(presence:track(inside, { name = "Ann" }))
    assert.same({ name = "Ann" }, presence:get(a.socket).data)
    after_interval(function()
      return count(a) == 1
    end)
    a.client:close()
    after_interval(function()
      return presence:count() == 0
    end)
  end)
end)

describe("presence in differences", function()
  local server, presence, clock

  local function peer()
    return watch(server)
  end

  before_each(function()
    local env = testing.createTestEnv { presence = { syncInterval = 30, syncMode = "diff" } }
    server, clock = env.server, env.clock
    presence = server.presence
  end)

  local function told(one, n)
    if #one.seen < n then
      clock:advance(30)
    end
    support.eventually(function()
      return #one.seen >= n
    end, n .. " messages")
    return one.seen[n][1]
  end

  local function kinds(message)
    local out = {}
    for i, change in ipairs(message.changes or {}) do
      out[i] = change.type .. " " .. tostring(change.data.name)
    end
    return table.concat(out, ", ")
  end

  it("sends the list to whoever is new, and what changed to the others", function()
    local a, b = peer(), peer()
    presence:track(a.socket, { name = "Ann" })
    assert.is_nil(told(a, 1).changes)
    assert.equal("Ann", names(told(a, 1).presences))
    presence:track(b.socket, { name = "Bob" })
    assert.equal("join Bob", kinds(told(a, 2)))
    assert.equal("Ann Bob", names(told(a, 2).presences))
    assert.is_nil(told(b, 1).changes)
    assert.equal("Ann Bob", names(told(b, 1).presences))
    presence:update(b.socket, { name = "Rob" })
    assert.equal("update Rob", kinds(told(a, 3)))
    assert.equal("update Rob", kinds(told(b, 2)))
    assert.equal("Ann Rob", names(told(b, 2).presences))
    presence:untrack(b.socket)
    assert.equal("leave Rob", kinds(told(a, 4)))
    assert.equal("Ann", names(told(a, 4).presences))
    clock:advance(60)
    assert.same({ 4, 2 }, { #a.seen, #b.seen })
  end)

  it("tells of a client's changes as one, seen from what was told before", function()
    local a, b, c = peer(), peer(), peer()
    presence:track(a.socket, { name = "Ann" })
    presence:track(b.socket, { name = "Bob" })
    told(a, 1)
    told(b, 1)
    presence:track(c.socket, { name = "Cy" }) -- came and went: nobody hears of it
    presence:update(c.socket, { name = "Cyd" })
    presence:untrack(c.socket)
    presence:untrack(b.socket) -- went and came: it has changed
    presence:track(b.socket, { name = "Rob" })
    presence:update(b.socket, { name = "Robin" })
    assert.equal("update Robin", kinds(told(a, 2)))
    assert.equal("Ann Robin", names(told(b, 2).presences))
    presence:track(c.socket, { name = "Cy" })
    presence:update(c.socket, { name = "Cyd" })
    assert.equal("join Cyd", kinds(told(a, 3)))
    presence:update(c.socket, { name = "Cyn" })
    presence:untrack(c.socket)
    assert.equal("leave Cyn", kinds(told(a, 4)))
    clock:advance(60)
    assert.same({ 4, 1 }, { #a.seen, #c.seen })
  end)

  it("agrees with the list after any changes", function()
    local peers = {}
    for i = 1, 6 do
      peers[i] = peer()
    end
    local seed = 7
    local function random(n)
      seed = seed * 16807 % 2147483647
      return seed % n + 1
    end
    for step = 1, 400 do
      local one = peers[random(6)]
      local what = random(3)
      if what == 1 then
        presence:track(one.socket, { name = "p" .. step })
      elseif what == 2 then
        presence:update(one.socket, { name = "u" .. step })
      else
        presence:untrack(one.socket)
      end
      if random(20) == 1 then
        clock:advance(random(40))
      end
    end
    for _, one in ipairs(peers) do
      presence:track(one.socket, { name = "end" .. one.socket.id })
    end
    local function sorted(list)
      local out = {}
      for i, entry in ipairs(list) do
        out[i] = entry.clientId .. entry.data.name
      end
      table.sort(out)
      return table.concat(out, " ")
    end
    local expected = sorted(presence:list())
    for _, one in ipairs(peers) do
      support.eventually(function()
        local last = one.seen[#one.seen]
        return last and sorted(last[1].presences) == expected
      end, "the same list")
    end
  end)

  it("gives a listener a list that stays as it is", function()
    local a = peer()
    presence:track(a.socket, { name = "Ann" })
    local first = told(a, 1).presences
    presence:update(a.socket, { name = "Bob" })
    assert.equal("Bob", names(told(a, 2).presences))
    assert.equal("Ann", names(first))
    assert.is_number(told(a, 2).presences[1].joinedAt)
  end)
end)

describe("presence through a reload", function()
  local reload = require "painda.reload"

  it("keeps who is there, takes the new options and forgets the old listeners", function()
    local server, told = nil, {}
    local function load(number, options)
      assert(reload.run(function()
        server = painda.PPServer { port = 0, host = "127.0.0.1", presence = options }
        server.presence:on("update", function(entry)
          told[#told + 1] = { number, entry.data.n }
        end)
      end))
    end
    load(1, { maxMetadataSize = 1000 })
    local first = server
    local one = watch(server)
    server.presence:track(one.socket, { n = 1 })
    load(2, { maxMetadataSize = 20, syncMode = "diff" })
    assert.equal(first, server)
    assert.equal(1, server.presence:count())
    server.presence:update(one.socket, { n = 2 })
    assert.same({ { 2, 2 } }, told)
    assert.matches("maxMetadataSize is 20", support.message(server.presence.update, server.presence, one.socket,
      { text = ("x"):rep(20) }))
    server:close()
    reload.run(function() end)
  end)
end)
