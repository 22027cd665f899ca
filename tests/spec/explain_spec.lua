-- What the log adds to an error's text: hints, and lines of the application's source.

local explain = require "painda.explain"
local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local support = require "support"

local SOURCES = {
  ["app.lua"] = "local a = 1\n\n  server:brodcast(1)   \r\n\tb(100 % 7)\nend\n",
  ["/srv/games/a/very/long/path/of/an/application/that/is/shortened/app.lua"] = "first\nsecond\n",
}

local function trace(...)
  return table.concat({ "app.lua:3: it broke", "stack traceback:", ... }, "\n\t")
end

describe("a hint", function()
  local function hinted(text)
    return explain.with_hint(text)
  end

  it("is given where a method is near to one of the class that was asked for it", function()
    local server = support.server()
    local _ = server.brodcast
    local text = "app.lua:3: attempt to call method 'brodcast' (a nil value)"
    assert.equal(text .. ', did you mean "broadcast"?', hinted(text))
    local below = "\nstack traceback:\n\tx"
    assert.equal(text .. ', did you mean "broadcast"?' .. below, hinted(text .. below))
    server:close()
  end)

  local function hint_for(object, name)
    local _ = object[name]
    return hinted(("attempt to call method '%s' (a nil value)"):format(name)):match ", did you mean (.*)%?$"
  end

  it("tells of no other class, and never the same name", function()
    local server = support.server()
    local _, client = support.connect(server)
    assert.equal('"broadcast"', hint_for(server:room "typed", "emit"))
    assert.is_nil(hint_for(client, "getPlugin"))
    assert.is_nil(hint_for(client, "isConnected"))
    assert.equal('"getPlugin"', hint_for(server, "getPlugn"))
    assert.equal('"warn"', hint_for(log, "warning"))
    assert.is_nil(hint_for(log, "gaming"))
    server:close()
  end)

  it("knows what others call it", function()
    local server = support.server()
    local peer, client = support.connect(server)
    assert.equal('"close"', hint_for(client, "disconnect"))
    assert.equal('"close"', hint_for(peer, "disconnect"))
    assert.equal('"off"', hint_for(peer, "removeListener"))
    assert.equal('"request"', hint_for(client, "emitWithAck"))
    assert.equal('"getClients"', hint_for(server, "fetchSockets"))
    server:close()
  end)

  it("is given where a field is near to one of painda", function()
    local _ = painda.PPSever
    local text = "attempt to call field 'PPSever' (a nil value)"
    assert.equal(text .. ', did you mean "PPServer"?', hinted(text))
  end)

  it("is not given without a reason", function()
    for _, text in ipairs {
      "attempt to call method 'calculateTaxes' (a nil value)",
      "attempt to call method 'brodcast' (a table value)",
      "attempt to call local 'brodcast' (a nil value)",
      "what 'brodcast' is",
      "",
    } do
      assert.equal(text, hinted(text))
    end
  end)
end)

describe("the source in a traceback", function()
  it("gives the innermost frame the line that it lacks", function()
    local told = explain.with_source("x handler failed: app.lua:3: it broke\nstack traceback:"
      .. "\n\tapp.lua: in function 'f'\n\tapp.lua: in main", {})
    assert.matches("\n\tapp.lua:3: in function 'f'\n\tapp.lua: in main$", told)
  end)

  it("stands below the message, and below each frame of the application", function()
    local given = trace("[C]: in function 'sort'", "app.lua:4: in function 'f'", "painda/timer.lua:9: in function <x>")
    assert.equal(
      table.concat({
        "app.lua:3: it broke",
        "  3 |   server:brodcast(1)",
        "stack traceback:",
        "[C]: in function 'sort'",
        "app.lua:4: in function 'f'",
        "  4 |   b(100 % 7)",
        "painda/timer.lua:9: in function <x>",
      }, "\n\t"):gsub("\n\tstack", "\nstack"),
      (explain.with_source(given:gsub("\n\tstack", "\nstack"), SOURCES))
    )
  end)

  it("is not shown twice", function()
    local once = explain.with_source(trace "app.lua:3: in main chunk", SOURCES)
    local _, count = once:gsub("server:brodcast", "")
    assert.equal(1, count)
    assert.equal(once, explain.with_source(once, SOURCES))
  end)

  it("is found by the end of a path that was shortened", function()
    local told = explain.with_source(trace "...that/is/shortened/app.lua:2: in function <x>", SOURCES)
    assert.matches("  2 | second", told, 1, true)
  end)

  it("is left out where there is none", function()
    for _, frame in ipairs { "app.lua:2: in f", "app.lua:99: in f", "other.lua:1: in f", '[string "x"]:1: in f' } do
      local given = "other.lua:1: it broke\nstack traceback:\n\t" .. frame
      assert.equal(given, explain.with_source(given, SOURCES))
    end
    assert.equal("app.lua:3: no traceback", explain.with_source("app.lua:3: no traceback", SOURCES))
  end)

  it("is cut where a line is long, and where frames are many", function()
    local sources = { ["a.lua"] = ("é"):rep(200) .. "\n" .. ("x\n"):rep(20) }
    local told = explain.with_source("a.lua:1: it broke\nstack traceback:", sources)
    assert.matches("\n\t  1 | " .. ("é"):rep(50) .. "…\n", told, 1, true)
    local frames = {}
    for i = 2, 20 do
      frames[#frames + 1] = ("\n\ta.lua:%d: in f"):format(i)
    end
    local _, count = explain.with_source("it broke\nstack traceback:" .. table.concat(frames), sources):gsub(" | x", "")
    assert.equal(8, count)
  end)
end)

describe("the log", function()
  it("shows the source of the generation that it is told of, or of the one that serves", function()
    local current = reload.current
    current.modules["made-up.lua"] = "one\ntwo\n"
    local text = "made-up.lua:2: it broke\nstack traceback:\n\t[C]: in function 'x'"
    assert.matches("  2 | two", log._explain(text), 1, true)
    assert.matches("  2 | two", log._explain(text, current.number), 1, true)
    current.modules["made-up.lua"] = nil
    assert.equal(text, log._explain(text))
  end)
end)
