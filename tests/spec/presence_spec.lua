local painda = require "painda"
local support = require "support"

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
  local server, presence

  local function start(options)
    server = support.server { presence = options }
    presence = server.presence
  end

  before_each(function()
    start { syncInterval = 10 }
  end)

  after_each(function()
    server:close()
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
    support.eventually(function()
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
    assert.equal("call it with a colon: server.presence:count(…)", support.message(presence.count))
    assert.equal('presence:on: there is no event "jion", did you mean "join"?',
      support.message(presence.on, presence, "jion", print))
    assert.equal('presence:onChange("change", …) takes a function, not a nil',
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
    support.eventually(function()
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
    painda.sleep(30)
  end)
end)

describe("presence, as clients see it", function()
  local server, presence

  local function start(options)
    server = support.server { presence = options }
    presence = server.presence
  end

  after_each(function()
    server:close()
  end)

  local function count(watcher)
    return #watcher.seen
  end

  it("is the whole list, for the tracked only, where something changed", function()
    start { syncInterval = 20 }
    local a, b, stranger = watch(server), watch(server), watch(server)
    presence:track(a.socket, { name = "Ann" })
    support.eventually(function()
      return count(a) == 1
    end)
    assert.equal("Ann", names(a.seen[1][1].presences))
    presence:track(b.socket, { name = "Bob" })
    support.eventually(function()
      return count(a) == 2 and count(b) == 1
    end)
    assert.equal("Ann Bob", names(a.seen[2][1].presences))
    painda.sleep(80)
    assert.same({ 2, 1, 0 }, { count(a), count(b), count(stranger) })
    presence:sync()
    support.eventually(function()
      return count(a) == 3 and count(b) == 2
    end)
    assert.equal(0, count(stranger))
  end)

  it("gathers many updates to one message an interval", function()
    start { syncInterval = 200 }
    local a = watch(server)
    presence:track(a.socket, { n = 0 })
    support.eventually(function()
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
    support.eventually(function()
      return count(a) == 2
    end)
    assert.equal(1000, a.seen[2][1].presences[1].data.n)
    assert.equal(1, changes)
    assert.equal(1000, last[1].data.n)
  end)
end)
