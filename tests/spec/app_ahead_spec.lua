-- What a reload compiles beside the loop, and that it makes no difference but to who waits.

local app = require "painda.app"
local compiler = require "painda.core.compiler"
local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local support = require "support"
local task = require "painda.task"

local start, loadstring = compiler.start, loadstring
local SOURCE = [[
#!/usr/bin/env painda
local above, other = ...
local list = { 1, 2.5, "three", four = 4 } -- of several keys, each state has its own order

local function inner(first, second)
  for i, value in ipairs(list) do
    above = (above or 0) + i * 0x7fffffff - 1e300
    other = value and function() return other, first, second, above end
  end
  goto done
  ::done::
  return -0, 12345678901LL, 1i
end

return inner
]]

-- What the compiler says of a text: the code, or nil and the message.
local function compiled(text, name)
  local waiter = task.waiter()
  assert(start(text, name, function(...)
    waiter:wake(...)
  end))
  return waiter:wait(5000)
end

describe("the compiler beside the loop", function()
  it("makes what string.dump makes", function()
    for _, text in ipairs { SOURCE, "", "\239\187\191return 1", ("local x = %q\n"):format("y"):rep(100) } do
      assert.equal(string.dump(assert(loadstring(text, "@some/path.lua"))), (compiled(text, "@some/path.lua")))
    end
  end)

  it("says what loadstring says of what does not compile", function()
    local long = "@" .. ("folder/"):rep(20) .. "file.lua"
    for _, text in ipairs {
      "local = 1", "\n\nx = = 2", "return {", 'x = "open', "goto nowhere", "\0", "for i = 1 do end", "break",
      ("x"):rep(300) .. "$", ("("):rep(500), ("local a = 1\n"):rep(300), "#only a comment\n)", "\255",
    } do
      for _, name in ipairs { "@app.lua", long, "=said", "plain" } do
        local chunk, message = loadstring(text, name)
        assert.is_nil(chunk)
        local code, wrong = compiled(text, name)
        assert.is_nil(code)
        assert.equal(message, wrong)
      end
    end
  end)

  it("takes text, and no bytecode", function()
    local code, wrong = compiled(string.dump(loadstring "return 1"), "@app.lua")
    assert.is_nil(code)
    assert.matches("wrong mode", wrong)
  end)

  it("compiles several at once, whatever the collector does meanwhile", function()
    local left, waiter = 20, task.waiter()
    for i = 1, 20 do
      assert(start(("return %d + %d\n"):format(i, i) .. ("-- long\n"):rep(20000), "@x", function(code)
        assert.equal(2 * i, loadstring(code)())
        left = left - 1
        if left == 0 then
          waiter:wake(true)
        end
      end))
      collectgarbage()
    end
    assert.is_true(waiter:wait(5000))
  end)
end)

describe("a reload", function()
  local directory
  local loaders = {}
  local asked -- names of the files that were compiled beside the loop, in order
  local hold -- waited for by each
  local report

  local function write(files)
    for name, text in pairs(files) do
      local file = assert(io.open(directory .. "/" .. name, "w"))
      file:write(text)
      file:close()
    end
  end

  local function load(files)
    write(files)
    local ok, err = app.reload()
    assert(ok, err)
  end

  local function fails()
    log.set_level "silent"
    local ok, err = app.reload()
    log.set_level "warn"
    assert.is_nil(ok)
    return err
  end

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir -p " .. directory) == 0)
    for i, loader in ipairs(package.loaders) do
      loaders[i] = loader
    end
    write { ["app.lua"] = "return 1" }
    assert(app.start(directory .. "/app.lua"))
  end)

  teardown(function()
    for i = 1, #package.loaders + 1 do
      package.loaders[i] = loaders[i]
    end
    os.execute("rm -rf " .. directory)
    _G.spec_report = nil
  end)

  -- Serves the first version, from the start of a test: what serves before it need not be an application.
  local function begin()
    asked, hold, report = {}, nil, {}
    _G.spec_report = report
    load { ["app.lua"] = "spec_report.loaded = { 'first', require 'part' }", ["part.lua"] = "return 'one'" }
    asked = {}
    function compiler.start(text, name, fn)
      asked[#asked + 1] = name:match "[^/]*$"
      if not hold then
        return start(text, name, fn)
      end
      local held = hold
      return start(text, name, function(...)
        held:wait()
        fn(...)
      end)
    end
  end

  after_each(function()
    compiler.start = start
  end)

  it("compiles beside the loop what has changed, and nothing else", function()
    begin()
    load {}
    assert.same({}, asked)
    load { ["part.lua"] = "return 'two'" }
    assert.same({ "part.lua" }, asked)
    assert.same({ "first", "two" }, report.loaded)
    asked = {}
    load { ["app.lua"] = "spec_report.loaded = { 'second', require 'part' }", ["part.lua"] = "return 'three'" }
    table.sort(asked)
    assert.same({ "app.lua", "part.lua" }, asked)
    assert.same({ "second", "three" }, report.loaded)
  end)

  it("loads a file that is new, which nobody could know of", function()
    begin()
    load { ["app.lua"] = "spec_report.loaded = { require 'fresh', require 'part' }", ["fresh.lua"] = "return 'new'" }
    assert.same({ "app.lua" }, asked)
    assert.same({ "new", "one" }, report.loaded)
    load { ["fresh.lua"] = "return 'newer'" }
    assert.same({ "app.lua", "fresh.lua" }, asked)
    assert.same({ "newer", "one" }, report.loaded)
  end)

  it("has the old code serve meanwhile, and one that is asked for follows it", function()
    begin()
    hold = task.waiter()
    local number, outcome = reload.current.number, nil
    write { ["part.lua"] = "return 'two'" }
    painda.spawn(function()
      outcome = { app.reload() }
    end)
    painda.sleep(5)
    assert.is_true(app.is_busy())
    assert.equal(number, reload.current.number)
    assert.same({ "first", "one" }, report.loaded)
    assert.same({ nil, "a reload is under way" }, { app.reload() })
    hold:wake()
    support.eventually(function()
      return outcome
    end)
    assert.same({ true, number + 2 }, outcome)
    assert.same({ "first", "two" }, report.loaded)
  end)

  it("loads what a file is in the end, where it changes again while it is compiled", function()
    begin()
    hold = task.waiter()
    local done
    write { ["part.lua"] = "return 'two'" }
    painda.spawn(function()
      done = app.reload()
    end)
    painda.sleep(5)
    write { ["part.lua"] = "return 'three'" }
    hold:wake()
    support.eventually(function()
      return done
    end)
    assert.same({ "first", "three" }, report.loaded)
    load {}
    assert.same({ "part.lua" }, asked) -- what was compiled in its place is kept as well
    assert.same({ "first", "three" }, report.loaded)
  end)

  it("says of what does not compile what it says at a start", function()
    begin()
    write { ["part.lua"] = "local x = = 1" }
    assert.matches(directory .. "/part.lua:1: unexpected symbol near '='", fails(), 1, true)
    write { ["part.lua"] = "return 'one'", ["app.lua"] = "\nlocal x = = 1" }
    assert.equal(directory .. "/app.lua:2: unexpected symbol near '='", fails())
    assert.same({ "part.lua", "app.lua" }, asked)
    load { ["app.lua"] = ("spec_report.loaded = { loadfile %q }"):format(directory .. "/part.lua"), ["part.lua"] = "(" }
    assert.same({ nil, directory .. "/part.lua:1: unexpected symbol near '<eof>'" }, report.loaded)
    load {}
    assert.same({ nil, directory .. "/part.lua:1: unexpected symbol near '<eof>'" }, report.loaded)
  end)

  it("keeps lines, names and sources", function()
    begin()
    local text = "\nspec_report.info = debug.getinfo(1, 'Sl')\nlocal named = 1\n"
      .. "spec_report.named = debug.getlocal(1, 1)\nspec_report.trace = debug.traceback 'here'"
    load { ["app.lua"] = text }
    local ahead = report
    assert.same({ "app.lua" }, asked)
    report = {}
    _G.spec_report = report
    loadstring(text, "@" .. directory .. "/app.lua")()
    assert.same(report.info, ahead.info)
    assert.equal("named", ahead.named)
    assert.matches("app.lua:5: in", ahead.trace, 1, true)
  end)

  it("compiles what it goes back to beside the loop, too", function()
    begin()
    load { ["part.lua"] = "return 'two'" }
    asked = {}
    log.set_level "silent"
    assert(app.rollback())
    log.set_level "warn"
    assert.same({ "part.lua" }, asked)
    assert.same({ "first", "one" }, report.loaded)
  end)

  it("loads a file of bytecode in its place, as ever", function()
    begin()
    load { ["part.lua"] = string.dump(loadstring "return 'bytes'") }
    assert.same({}, asked)
    assert.same({ "first", "bytes" }, report.loaded)
  end)

  it("loads in its place where there is no thread to be had, or nothing comes of it", function()
    begin()
    function compiler.start() end
    load { ["part.lua"] = "return 'two'" }
    assert.same({ "first", "two" }, report.loaded)
    function compiler.start(_, _, fn)
      painda.spawn(fn)
      return true
    end
    load { ["part.lua"] = "return 'three'" }
    assert.same({ "first", "three" }, report.loaded)
  end)

  it("begins nothing where its caller can't wait, and can be asked for again", function()
    begin()
    local number = reload.current.number
    local said = support.raised(coroutine.wrap(function()
      painda.reload()
    end))
    assert.matches("only a handler or a task", said)
    assert.equal(number, reload.current.number)
    load {}
    assert.equal(number + 1, reload.current.number)
  end)
end)
