-- Logging as an application does it: a process of its own, since the lines go to its stderr.

local painda = require "painda"
local log = require "painda.log"
local support = require "support"

local binary = io.popen("readlink -f /proc/$PPID/exe"):read "*l"

-- What a script logs, as an array of lines.
local function logged(script, arguments)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write('local log = require("painda").log\n', script, '\nrequire("painda.core.runtime").stop(0)\n')
  file:close()
  local pipe = io.popen(("'%s' run '%s' --control off %s 2>&1 </dev/null"):format(binary, path, arguments or ""))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  os.remove(path)
  return lines
end

describe("a log line", function()
  it("has a time, a level, the text and the fields", function()
    local line = logged('log.info("joined", { room = "lobby", n = 3 })')[1]
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ info joined ", line)
    assert.matches(" room=lobby", line, 1, true)
    assert.matches(" n=3", line, 1, true)
  end)

  it("takes any value as a field", function()
    local line = logged('log.warn("x", { t = true, f = 1.5, nothing = require("painda").null, [1] = "one" })')[1]
    assert.matches("t=true", line, 1, true)
    assert.matches("f=1.5", line, 1, true)
    assert.matches("1=one", line, 1, true)
  end)

  it("quotes what has spaces, and escapes what could fake a line", function()
    local lines = logged [[log.info("x", { a = "two words", b = "line\nbreak \27[31m", c = 'q"u' })]]
    assert.equal(1, #lines)
    assert.matches('a="two words"', lines[1], 1, true)
    assert.matches('b="line\\nbreak \\u001b[31m"', lines[1], 1, true)
    assert.matches('c="q\\"u"', lines[1], 1, true)
  end)

  it("indents the lines of a traceback", function()
    local lines = logged [[log.error("failed\nstack traceback:\nhere")]]
    assert.equal(3, #lines)
    assert.matches(" error failed$", lines[1])
    assert.equal("    stack traceback:", lines[2])
    assert.equal("    here", lines[3])
  end)

  it("is JSON where that is asked for", function()
    local lines = logged([[log.info("a \"b\"\n", { k = "v\0w", n = 1 })]], "--log-format json")
    assert.equal(1, #lines)
    local value = assert(painda.json.decode(lines[1]))
    assert.equal("info", value.level)
    assert.equal('a "b"\n', value.msg)
    assert.equal("v\0w", value.k)
    assert.equal("1", value.n)
  end)
end)

describe("a traceback", function()
  it("is indented by the log, not by tabs", function()
    local lines = logged 'log.error(debug.traceback "what happened")'
    assert.matches("error what happened$", lines[1])
    assert.equal("    stack traceback:", lines[2])
    assert.not_matches("u0009", table.concat(lines))
  end)
end)

describe("the log level", function()
  it("leaves out what is below it", function()
    local script = 'log.debug "d" log.info "i" log.warn "w" log.error "e"'
    assert.equal(3, #logged(script))
    assert.equal(4, #logged(script, "--log-level debug"))
    assert.equal(1, #logged(script, "--log-level error"))
    assert.equal(0, #logged(script, "--log-level silent"))
    assert.equal(1, #logged('log.set_level "warn" log.info "i" log.warn "w"'))
  end)

  it("is one of five", function()
    local text = support.raised(function()
      log.set_level "loud"
    end)
    local told = 'log_spec.lua:%d+: painda.log.set_level takes debug, info, warn, error or silent, not "loud"'
    assert.matches(told, text)
  end)
end)
