-- What becomes of a room's declared state when the new code declares another.

local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local support = require "support"

local HOST = "127.0.0.1"
local BEFORE = { phase = "string", players = painda.map("string", { x = "float32", score = "uint16" }) }

describe("a room with a declared state, reloaded", function()
  local server, room, client, states

  local function app(initial, options, more)
    return function()
      server = painda.PPServer { port = 0, host = HOST }
      room = server:room("arena", initial, options)
      if more then
        more()
      end
    end
  end

  local function load(...)
    local ok, err = reload.run(app(...))
    assert(ok, err)
  end

  local function refused(...)
    log.set_level "silent"
    local ok, err = reload.run(app(...))
    log.set_level "warn"
    assert.is_nil(ok)
    return err
  end

  before_each(function()
    load(painda.schema(BEFORE))
    local state = room:getState()
    state.phase = "play"
    state.players.ann = { x = 1.5, score = 7 }
    local socket
    client, socket = support.connect(server)
    reload.forget(client) -- it stands for another process
    states = support.record(client, "roomState")
    room:join(socket)
    support.eventually(function()
      return #states > 0
    end)
  end)

  after_each(function()
    client:close()
    server:close()
  end)

  local function values()
    local state = room:getState()
    return require("painda.declared").schema_of(state):toTable(state)
  end

  it("keeps it where the fields are the same", function()
    local state = room:getState()
    load(painda.schema(BEFORE))
    assert.equal(state, room:getState())
  end)

  it("is given the new fields, and keeps what the others hold; its members are told", function()
    local told = #states
    load(painda.schema {
      round = "uint8",
      phase = "string",
      players = painda.map("string", { x = "float64", score = "uint32", team = "string" }),
    })
    assert.same({ round = 0, phase = "play", players = { ann = { x = 1.5, score = 7, team = "" } } }, values())
    support.eventually(function()
      return #states > told
    end)
    room:getState().round = 3
    assert.is_true(room:has(server:getClients()[1]))
  end)

  it("takes initial values for new fields from the state that is given", function()
    local schema = painda.schema { phase = "string", players = BEFORE.players, round = "uint8" }
    load(function()
      return schema:new { round = 9, phase = "not used" }
    end)
    assert.same({ 9, "play" }, { room:getState().round, room:getState().phase })
  end)

  it("is refused what would lose something: the old code goes on", function()
    local state, number = room:getState(), reload.current.number
    local err = refused(painda.schema { phase = "string", players = painda.map("string", { x = "float32" }) })
    assert.matches('the state of room "arena" does not fit the new schema', err, 1, true)
    assert.matches("players.ann.score: 7 would be lost", err, 1, true)
    assert.matches("the option migrate says what becomes of it", err, 1, true)
    assert.equal(number, reload.current.number)
    assert.equal(state, server:getRoom("arena"):getState())
    assert.equal(7, state.players.ann.score)
  end)

  it("is made what `migrate` says", function()
    local schema = painda.schema { stage = "uint8", points = painda.map("string", "uint32") }
    load(schema, {
      migrate = function(old)
        local points = {}
        for name, player in pairs(old.players) do
          points[name] = player.score * 10
        end
        return { stage = old.phase == "play" and 2 or 1, points = points }
      end,
    })
    assert.same({ stage = 2, points = { ann = 70 } }, values())
    local calls = 0
    load(painda.schema { stage = "uint8", points = painda.map("string", "uint32") }, {
      migrate = function(old)
        calls = calls + 1
        return old
      end,
    })
    assert.equal(0, calls, "the schema is the same")
  end)

  it("is refused a migration that fails, or waits", function()
    local schema = painda.schema { stage = "uint8" }
    local function fails()
      error "on purpose"
    end
    assert.matches("migrate failed: .*on purpose", refused(schema, { migrate = fails }))
    local function waits()
      painda.sleep(1)
      return {}
    end
    assert.matches("migrate failed: .*this call waits, .*nor a room's option migrate",
      refused(schema, { migrate = waits }))
    assert.equal("play", room:getState().phase)
  end)

  it("changes nothing where something later fails", function()
    local state = room:getState()
    local schema = painda.schema { phase = "string", players = BEFORE.players, round = "uint8" }
    refused(schema, nil, error)
    assert.equal(state, room:getState())
  end)

  it("may become a plain table, and declared again", function()
    load {}
    assert.same({ phase = "play", players = { ann = { x = 1.5, score = 7 } } }, room:getState())
    room:getState().phase = "over"
    load(painda.schema(BEFORE))
    assert.equal("over", room:getState().phase)
    assert.is_not_nil(require("painda.declared").schema_of(room:getState()))
  end)

  it("is asked for by a handler later: it is migrated then, once", function()
    local schema = painda.schema { phase = "string", players = BEFORE.players, round = "uint8" }
    assert(reload.run(function()
      server = painda.PPServer { port = 0, host = HOST }
    end))
    local again = server:room("arena", schema)
    assert.equal(room, again)
    again:getState().round = 4
    assert.equal(4, server:room("arena", schema):getState().round)
    assert(reload.run(function()
      server = painda.PPServer { port = 0, host = HOST }
    end))
    local text = support.raised(function()
      server:room("arena", painda.schema { phase = "uint8" })
    end)
    assert.matches('^the state of room "arena" does not fit the new schema', text)
  end)
end)
