-- The command line, called as main() would be, with its output and its exit caught.

local cli = require "painda.cli"
local runtime = require "painda.core.runtime"

local streams = _G["io"] -- luacheck takes its fields for constants

-- Runs a command line; returns the exit code, what it wrote, and what it complained of.
local function run(...)
  local code, out, err
  local stop, stdout, stderr = runtime.stop, io.stdout, io.stderr
  local function catcher()
    local parts = {}
    return {
      write = function(self, ...)
        for _, part in ipairs { ... } do
          parts[#parts + 1] = part
        end
        return self
      end,
      text = function()
        return table.concat(parts)
      end,
    }
  end
  local written, complained = catcher(), catcher()
  runtime.stop = function(given)
    code = given or 0
  end
  streams.stdout, streams.stderr = written, complained
  local ok, raised = pcall(cli.main, { ... })
  runtime.stop, streams.stdout, streams.stderr = stop, stdout, stderr
  assert(ok, raised)
  out, err = written.text(), complained.text()
  return code, out, err
end

local function usage_error(...)
  local code, out, err = run(...)
  assert.equal(2, code)
  assert.equal("", out)
  assert.matches("^painda: ", err)
  assert.equal(1, select(2, err:gsub("\n", "")), "one line")
  return (err:gsub("^painda: ", ""):gsub("\n$", ""))
end

describe("the command line", function()
  it("says how it is used where nothing is asked for", function()
    local code, out, err = run()
    assert.equal(2, code)
    assert.equal("", out)
    assert.matches("painda COMMAND", err, 1, true)
  end)

  it("tells its version, however it is asked", function()
    for _, word in ipairs { "version", "--version", "-v" } do
      local code, out = run(word)
      assert.equal(0, code)
      assert.matches("^painda %d+%.%d+%.%d+ %(LuaJIT", out)
    end
  end)

  it("explains itself and each command", function()
    for _, word in ipairs { "help", "--help", "-h" } do
      local code, out = run(word)
      assert.equal(0, code)
      assert.matches("run APP", out, 1, true)
      assert.matches("test [DIR]", out, 1, true)
    end
    local ways = { { "run", "--help" }, { "run", "-h" }, { "help", "run" }, { "run", "x.lua", "--help" } }
    for _, line in ipairs(ways) do
      local code, out = run(unpack(line))
      assert.equal(0, code)
      assert.matches("--shutdown-timeout MS", out, 1, true)
    end
  end)

  it("names the nearest command", function()
    assert.equal('unknown command "rnu", did you mean "run"? (painda help lists them)', usage_error "rnu")
    assert.equal('unknown command "xyzzy" (painda help lists them)', usage_error "xyzzy")
    local text = usage_error("help", "chekc")
    assert.equal('unknown command "chekc", did you mean "check"? (painda help lists them)', text)
    assert.matches("unknown command", usage_error "--watch", 1, true)
  end)

  it("names the nearest option", function()
    local text = usage_error("run", "a.lua", "--prot", "1")
    assert.equal("unknown option --prot of painda run, did you mean --port?", text)
    assert.equal("unknown option --xyzzy of painda run", usage_error("run", "--xyzzy", "a.lua"))
    assert.equal("unknown option --port of painda check", usage_error("check", "--port=1", "a.lua"))
  end)

  it("wants the values of options", function()
    assert.equal("--port PORT needs a value", usage_error("run", "a.lua", "--port"))
    assert.equal('--port takes a port from 0 to 65535, not "x"', usage_error("run", "a.lua", "--port", "x"))
    assert.equal('--port takes a port from 0 to 65535, not "65536"', usage_error("run", "a.lua", "--port=65536"))
    assert.equal('--port takes a port from 0 to 65535, not "-1"', usage_error("run", "a.lua", "--port=-1"))
    assert.equal('--port takes a port from 0 to 65535, not ""', usage_error("run", "a.lua", "--port="))
    assert.equal(
      '--log-level takes one of debug, info, warn, error, silent, not "loud"',
      usage_error("run", "a.lua", "--log-level", "loud")
    )
    assert.equal('--log-format takes one of text, json, not "xml"', usage_error("run", "a.lua", "--log-format=xml"))
    assert.matches("--timeout takes milliseconds", usage_error("test", "--timeout", "soon"), 1, true)
  end)

  it("takes no value for a switch", function()
    assert.equal("--watch takes no value", usage_error("run", "a.lua", "--watch=yes"))
  end)

  it("wants its operands, and no more", function()
    assert.equal("painda run needs APP (painda run --help)", usage_error "run")
    assert.equal('painda run does not know what to do with "b.lua"', usage_error("run", "a.lua", "b.lua"))
    assert.equal('painda version does not know what to do with "x"', usage_error("version", "x"))
  end)

  it("says which file it can't read", function()
    for _, command in ipairs { "run", "check" } do
      local code, _, err = run(command, "/no/such/file.lua")
      assert.equal(1, code)
      assert.equal("painda: cannot read /no/such/file.lua: No such file or directory\n", err)
    end
    local code, _, err = run("run", "/tmp")
    assert.equal(1, code)
    assert.equal("painda: cannot read /tmp: Is a directory\n", err)
  end)

  it("checks a file without running it", function()
    local path = os.tmpname()
    local function check(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      return run("check", path)
    end
    local code, out = check "error 'it ran'"
    assert.equal(0, code)
    assert.equal(path .. ": ok\n", out)
    code, out = check "local x = = 1"
    assert.equal(1, code)
    assert.equal(("%s:1: unexpected symbol near '='\n"):format(path), out)
    code = check ""
    assert.equal(0, code)
    os.remove(path)
  end)
end)
