-- painda test, run as a user would: specs in a folder of their own, and a process that ends.

local binary = io.popen("readlink -f /proc/$PPID/exe"):read "*l"

describe("painda test", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir -p '%s/spec'"):format(folder))
  end)

  after_each(function()
    os.execute(("rm -rf '%s'"):format(folder))
  end)

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  -- Returns the exit code and all that was written.
  local function run(arguments)
    local command = "cd '%s' && '%s' test %s 2>&1 </dev/null; printf 'exit %%d' $?"
    local pipe = io.popen(command:format(folder, binary, arguments or ""))
    local text = pipe:read "*a"
    pipe:close()
    return tonumber(text:match "exit (%d+)$"), text
  end

  it("passes where all tests do, which may wait", function()
    write("spec/a_spec.lua", [[
      local painda = require "painda"
      describe("a", function()
        before_each(function() painda.sleep(1) end)
        it("sleeps", function() painda.sleep(1) assert.is_true(true) end)
        it("hears an answer", function()
          local server = painda.PPServer { port = 0, host = "127.0.0.1" }
          server:on("add", function(_, p, ack) painda.sleep(1) ack(nil, p + 1) end)
          local client = painda.PPClient { url = "ws://127.0.0.1:" .. server.port }
          assert.equal(2, client:request("add", 1))
        end)
      end)
    ]])
    local code, text = run()
    assert.equal(0, code, text)
    assert.matches("\n2 successes / 0 failures / 0 errors / 0 pending : ", text)
  end)

  it("ends the run at a loop that nothing can end from within, and names its test", function()
    write("spec/a_spec.lua", [[
      describe("a loop", function()
        it("is left", function() end)
        it("goes on", function() while true do end end)
      end)
    ]])
    local code, text = run "--timeout 50"
    assert.equal(1, code, text)
    assert.matches('\npainda: %S*spec/a_spec.lua:3: "a loop goes on" did not end within 1100 ms', text)
  end)

  it("names the test that crashes the process", function()
    write("spec/a_spec.lua", [[
      it("is well", function() end)
      it("is not", function() require("ffi").cast("int *", 8)[0] = 1 end)
    ]])
    local code, text = run()
    assert.is_not.equal(0, code)
    assert.matches('\npainda: %S*spec/a_spec.lua:2: "is not" crashed the process\n', text)
  end)

  it("fails where one does, and says where", function()
    write("spec/a_spec.lua", [[
      it("is right", function() end)
      it("is wrong", function() require("painda").sleep(1) assert.equal(1, 2) end)
      it("raises", function() error "on purpose" end)
      pending "comes later"
    ]])
    local code, text = run()
    assert.equal(1, code)
    assert.matches("\n1 success / 1 failure / 1 error / 1 pending : ", text)
    assert.matches("spec/a_spec.lua:2: Expected objects to be equal", text, 1, true)
    assert.matches("spec/a_spec.lua:3: on purpose", text, 1, true)
  end)

  it("fails a test that hangs under its name, and goes on", function()
    write("spec/a_spec.lua", [[
      local task = require "painda.task"
      it("hangs", function()
        task.waiter():wait()
      end)
      it("goes on", function() end)
    ]])
    local code, text = run "--timeout 50"
    assert.equal(1, code)
    assert.matches("\n1 success / 1 failure / 0 errors / 0 pending : ", text)
    assert.matches('"hangs" did not end within 50 ms, it waits at spec/a_spec.lua:3', text, 1, true)
  end)

  it("fails a setup that hangs, and does not run what needs it", function()
    write("spec/a_spec.lua", [[
      describe("a", function()
        setup(function() require("painda.task").waiter():wait() end)
        it("is not run", function() print "RAN" end)
      end)
      it("is run", function() end)
    ]])
    local code, text = run "--timeout 50"
    assert.equal(1, code)
    assert.matches("\n1 success / 0 failures / 1 error / 0 pending : ", text)
    assert.not_matches("RAN", text)
  end)

  it("fails where nothing ran", function()
    local code, text = run()
    assert.equal(1, code)
    assert.matches("No test files found", text, 1, true)
    write("spec/a_spec.lua", "it('is', function() end) pending 'later'")
    code, text = run "--filter nothing"
    assert.equal(1, code)
    assert.matches("none in spec that --filter lets through", text, 1, true)
    code = run "--filter is"
    assert.equal(0, code)
  end)

  it("fails where a file does not compile or load", function()
    write("spec/a_spec.lua", "local x = = 1")
    write("spec/b_spec.lua", "error 'while loading'")
    write("spec/c_spec.lua", "it('is fine', function() end)")
    local code, text = run()
    assert.equal(1, code)
    assert.matches("\n1 success / 0 failures / 2 errors / 0 pending : ", text)
    assert.matches("spec/a_spec.lua:1: unexpected symbol", text, 1, true)
    assert.matches("spec/b_spec.lua:1: while loading", text, 1, true)
  end)

  it("closes what a file left open before the next begins", function()
    write("spec/a_spec.lua", [[
      local painda = require "painda"
      it("leaves all open", function()
        _G.server = painda.PPServer { port = 0, host = "127.0.0.1" }
        painda.PPClient { url = "ws://127.0.0.1:" .. server.port }
        painda.every(1, function() painda.state("ticks").n = (painda.state("ticks").n or 0) + 1 end)
        painda.sleep(20)
      end)
    ]])
    write("spec/b_spec.lua", [[
      local painda, reload = require "painda", require "painda.reload"
      it("finds nothing", function()
        assert.is_nil(next(reload.objects))
        assert.is_nil(next(reload.current.timers))
        assert.is_nil(rawget(_G, "server"))
        painda.sleep(20)
        assert.is_nil(painda.state("ticks").n)
      end)
    ]])
    local code, text = run()
    assert.equal(0, code, text)
  end)

  it("finds the modules of the project, and those beside the specs", function()
    write("game.lua", "return { name = 'game' }")
    write("spec/helper.lua", "return 'helper'")
    write("spec/a_spec.lua", [[
      it("finds them", function()
        assert.equal("game", require("game").name)
        assert.equal("helper", require "helper")
      end)
    ]])
    for _, arguments in ipairs { "", "spec", "spec/", "spec/a_spec.lua", folder .. "/spec" } do
      local code, text = run(arguments)
      assert.equal(0, code, text)
    end
  end)

  it("says what it can't do in one line", function()
    local code, text = run "nowhere"
    assert.equal(1, code)
    assert.matches("^painda: there is no folder or file nowhere to take tests from %(painda test DIR%)\n", text)
    code, text = run "--filter '('"
    assert.equal(2, code)
    assert.matches("^painda: %-%-filter takes a Lua pattern", text)
  end)

  it("lets a file ask for busted's own runner", function()
    write("spec/a_spec.lua", "require 'busted.runner'() it('is', function() end)")
    local code, text = run()
    assert.equal(0, code, text)
  end)

  it("closes what a failed test held, and says when it is the clock that stands still", function()
    write("spec/a_spec.lua", [[
      local painda, env = require "painda"
      local testing = require "painda.testing"
      it("fails", function() env = testing.createTestEnv() error "on purpose" end)
      it("is next", function() assert.is_true(env.closed) painda.sleep(1) end)
      it("hangs", function() env = testing.createTestEnv() painda.sleep(1) end)
      it("is last", function() assert.is_true(env.closed) painda.sleep(1) end)
    ]])
    local code, text = run "--timeout 300"
    assert.equal(1, code)
    assert.matches("\n2 successes / 1 failure / 1 error / 0 pending : ", text)
    assert.matches("it waits at .*a_spec.lua:5; the clock stands still, env.clock:advance%(ms%) moves it", text)
  end)
end)
