local options = require "painda.options"
local support = require "support"
local message = support.message

describe("the nearest name", function()
  local known = { "port", "host", "heartbeat", "heartbeatInterval", "maxPayload" }

  it("is one edit away", function()
    assert.equal("port", options.nearest("prt", known)) -- left out
    assert.equal("port", options.nearest("poort", known)) -- too much
    assert.equal("port", options.nearest("pork", known)) -- another
    assert.equal("port", options.nearest("prot", known)) -- swapped
  end)

  it("is found whatever the case", function()
    assert.equal("maxPayload", options.nearest("maxpayload", known))
    assert.equal("heartbeatInterval", options.nearest("HeartBeatIntervall", known))
  end)

  it("is nothing where all are far away", function()
    assert.is_nil(options.nearest("colour", known))
    assert.is_nil(options.nearest("x", known))
    assert.is_nil(options.nearest("", known))
    assert.is_nil(options.nearest("port", {}))
  end)

  it("does not depend on the order of those that are equally near", function()
    assert.equal("aab", options.nearest("aa", { "aab", "aac" }))
    assert.equal("aab", options.nearest("aa", { "aac", "aab" }))
  end)
end)

describe("options", function()
  local spec = {
    port = { type = "integer", min = 0, max = 65535 },
    ratio = { type = "number", min = 0, max = 1 },
    mode = { values = { "chat", "gaming" }, default = "chat" },
    tls = { type = "table" },
    wait = { type = { "table", "boolean" }, default = true },
    onLimit = { type = "function" },
    name = { type = "string" },
  }

  local function check(given)
    return options.check("PPThing", spec, given, 1)
  end

  it("are what was given, and the defaults", function()
    local fn = function() end
    assert.same({ port = 1, mode = "chat", wait = true, onLimit = fn }, check { port = 1, onLimit = fn })
    assert.same({ mode = "gaming", wait = false }, check { mode = "gaming", wait = false })
  end)

  it("leave the given table as it was", function()
    local given = { port = 1 }
    check(given)
    assert.same({ port = 1 }, given)
  end)

  it("that are unknown are named, with the nearest known one", function()
    assert.equal('PPThing has no option "prt", did you mean "port"?', message(check, { prt = 1 }))
    assert.equal('PPThing has no option "colour"', message(check, { colour = 1 }))
    local nameless = "PPThing takes options by their names, and was given "
    assert.equal(nameless .. '"port" without one', message(check, { "port" }))
    assert.equal(nameless .. "1 (a number) without one", message(check, { [{}] = 1 }))
  end)

  it("that others call otherwise are named as they are here", function()
    local known = { heartbeat = { type = "table" }, maxPayload = { type = "integer" } }
    local function told(name)
      return message(options.check, "PPThing", known, { [name] = 1 })
    end
    assert.equal('PPThing has no option "pingTimeout", did you mean "heartbeat"?', told "pingTimeout")
    assert.equal('PPThing has no option "maxHttpBufferSize", did you mean "maxPayload"?', told "maxHttpBufferSize")
    assert.equal('PPThing has no option "cors"', told "cors")
  end)

  it("of the wrong type are named, with the type and the value", function()
    assert.equal('PPThing option "port" must be an integer, not "3000"', message(check, { port = "3000" }))
    assert.equal('PPThing option "port" must be an integer, not 1.5 (a number)', message(check, { port = 1.5 }))
    assert.equal('PPThing option "wait" must be a table or a boolean, not 1 (a number)', message(check, { wait = 1 }))
    assert.equal(
      'PPThing option "onLimit" must be a function, not true',
      message(check, { onLimit = true })
    )
    assert.equal('PPThing option "name" must be a string, not 1 (a number)', message(check, { name = 1 }))
  end)

  it("keep to their range, and are numbers", function()
    assert.equal(0, check({ port = 0 }).port)
    assert.equal(65535, check({ port = 65535 }).port)
    assert.equal(
      'PPThing option "port" must be from 0 to 65535, not 65536 (a number)',
      message(check, { port = 65536 })
    )
    assert.equal('PPThing option "port" must be from 0 to 65535, not -1 (a number)', message(check, { port = -1 }))
    assert.equal('PPThing option "ratio" must be from 0 to 1, not nan (a number)', message(check, { ratio = 0 / 0 }))
    assert.matches("ratio", message(check, { ratio = math.huge }))
    assert.matches("port", message(check, { port = math.huge }))
    assert.matches("port", message(check, { port = 0 / 0 }))
  end)

  it("with a list of values take no other", function()
    assert.equal(
      'PPThing option "mode" must be one of "chat", "gaming", not "chatt"',
      message(check, { mode = "chatt" })
    )
    assert.equal(
      'PPThing option "mode" must be one of "chat", "gaming", not 1 (a number)',
      message(check, { mode = 1 })
    )
  end)

  it("that are needed are asked for", function()
    local function needs(given)
      return options.check("PPThing tls", { cert = { type = "string", required = true } }, given)
    end
    assert.equal('PPThing tls needs the option "cert"', message(needs, {}))
    assert.same({ cert = "c" }, needs { cert = "c" })
  end)

  it("come in a table", function()
    assert.equal("PPThing takes a table of options, not nil", message(check, nil))
    assert.equal('PPThing takes a table of options, not "x"', message(check, "x"))
  end)

  it("raise at the line that called the constructor", function()
    local function constructor(given)
      local checked = options.check("PPThing", spec, given)
      return checked
    end
    local line = debug.getinfo(1, "l").currentline + 2
    local text = support.raised(function()
      constructor { prt = 1 }
    end)
    assert.matches("options_spec.lua:" .. line .. ": ", text, 1, true)
  end)
end)
