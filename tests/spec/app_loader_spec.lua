-- What the code of an application finds around it: modules, files and globals of its own generation.

local app = require "painda.app"
local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local runtime = require "painda.core.runtime"
local support = require "support"

local directory

local function write(name, text)
  local file = assert(io.open(directory .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local function reloaded()
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

-- Loads these files, a table of name → text, as the next generation.
local function load(files)
  for name, text in pairs(files) do
    write(name, text)
  end
  reloaded()
end

local report

describe("the code of an application", function()
  local loaders = {}

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir -p " .. directory .. "/lib") == 0)
    for i, loader in ipairs(package.loaders) do
      loaders[i] = loader
    end
    write("app.lua", "return 1")
    assert(app.start(directory .. "/app.lua"))
  end)

  teardown(function()
    for i = 1, #package.loaders + 1 do
      package.loaders[i] = loaders[i]
    end
    os.execute("rm -rf " .. directory)
    _G.spec_report = nil
  end)

  before_each(function()
    report = {}
    _G.spec_report = report
  end)

  it("requires the modules of its own generation, also later and as old code", function()
    load { ["app.lua"] = "spec_report.require = require", ["late.lua"] = "return 'first'" }
    local first = report.require
    assert.equal("first", first "late")
    load { ["late.lua"] = "return 'second'" }
    assert.equal("second", report.require "late")
    assert.equal("first", first "late")
  end)

  it("has no half of another version while it waits", function()
    load {
      ["app.lua"] = [[
        local painda = require "painda"
        spec_report.reached = true
        painda.sleep(20)
        spec_report.loaded = require "part"
      ]],
      ["part.lua"] = "return 'one'",
    }
    load { ["app.lua"] = "spec_report.old = require" }
    load {
      ["app.lua"] = [[
        local painda = require "painda"
        spec_report.reached = true
        painda.sleep(20)
        spec_report.loaded = require "part"
      ]],
    }
    assert.equal("one", report.old "part") -- the old code's, from what the file was
    assert.not_equal(report.old "part", nil)
    report.reached, report.loaded = nil, nil
    write("part.lua", "return {}")
    painda.spawn(reloaded)
    support.eventually(function()
      return report.reached
    end)
    local foreign = report.old "part"
    support.eventually(function()
      return report.loaded
    end)
    assert.not_equal(foreign, report.loaded)
  end)

  it("may put a module in its place itself", function()
    load {
      ["app.lua"] = "spec_report.same = require 'self' == require 'self' spec_report.n = require('self').n",
      ["self.lua"] = "package.loaded[...] = { n = 5 }",
    }
    assert.same({ same = true, n = 5 }, report)
    assert.is_nil(package.loaded.self)
  end)

  it("finds modules by a path that it adds, and loads them again", function()
    local files = {
      ["app.lua"] = ("package.path = %q spec_report.n = require 'far'"):format(directory .. "/lib/?.lua"),
      ["lib/far.lua"] = "return 1",
    }
    local path = package.path
    load(files)
    load { ["lib/far.lua"] = "return 2" }
    assert.equal(2, report.n)
    assert.equal(path, package.path)
  end)

  it("keeps modules from outside of its folder", function()
    local outside = os.tmpname()
    local name = outside:match "[^/]*$"
    os.rename(outside, outside .. ".lua")
    write("app.lua", ("spec_report.n = (spec_report.n or 0) + require(%q).n"):format(name))
    package.preload[name] = function()
      return { n = 1 }
    end
    reloaded()
    local first = package.loaded[name]
    reloaded()
    assert.equal(first, package.loaded[name])
    assert.equal(2, report.n)
    package.loaded[name], package.preload[name] = nil, nil
    os.remove(outside .. ".lua")
  end)

  it("may preload modules, for itself alone", function()
    load { ["app.lua"] = "package.preload.made = function() return {} end spec_report.made = require 'made'" }
    local first = report.made
    reloaded()
    assert.not_equal(first, report.made)
    assert.is_nil(package.preload.made)
  end)

  it("has its own globals in what it compiles and in files that it runs", function()
    load {
      ["app.lua"] = ([[
        here = 1
        loadstring "spec_report.a, there = here, 2" ()
        load("spec_report.b = there")()
        local folder = %q
        dofile(folder .. "/run.lua")
        spec_report.c = everywhere
        spec_report.d = assert(loadfile(folder .. "/run.lua"))()
        spec_report.e = loadstring("return alone", "x", "t", { alone = 4 })()
      ]]):format(directory),
      ["run.lua"] = "everywhere = (everywhere or 0) + here return everywhere",
    }
    assert.same({ a = 1, b = 2, c = 1, d = 2, e = 4 }, report)
    assert.is_nil(rawget(_G, "everywhere"))
    load { ["run.lua"] = "everywhere = 'new'" }
    assert.equal("new", report.c)
  end)

  it("says which file did not compile in dofile", function()
    write("app.lua", ("dofile %q"):format(directory .. "/run.lua"))
    write("run.lua", "local = 1")
    assert.matches("run.lua:1: ", fails(), 1, true)
    write("app.lua", "dofile '/no/such/file.lua'")
    assert.matches("/no/such/file.lua: No such file", fails(), 1, true)
  end)

  it("registers in coroutines of its own, too", function()
    load { ["app.lua"] = [[
      local painda = require "painda"
      local reload = require "painda.reload"
      coroutine.wrap(function() spec_report.wrapped = reload.is_loading() end)()
      coroutine.resume(coroutine.create(function() spec_report.created = reload.is_loading() end))
      spec_report.outer = coroutine.running() ~= nil
    ]] }
    assert.same({ wrapped = true, created = true, outer = true }, report)
  end)

  it("is told of modules that require each other in a circle", function()
    write("app.lua", "require 'ring'")
    write("ring.lua", "require 'lib.around'")
    write("lib/around.lua", "\nrequire 'ring'")
    local err = fails()
    local told = "around.lua:2: the modules require each other in a circle: ring requires lib.around requires ring"
    assert.matches(told, err, 1, true)
  end)

  it("may go on where a module is missing or broken, and require it once it is mended", function()
    write("app.lua", "spec_report.require = require spec_report.ok = pcall(require, 'optional')")
    write("optional.lua", "error 'not yet'")
    reloaded()
    assert.is_false(report.ok)
    write("optional.lua", "return 'mended'")
    assert.equal("mended", report.require "optional")
  end)

  it("is told the right lines, also where a file is as it was", function()
    local here = "local trace = debug.traceback()\nreturn trace"
    load { ["app.lua"] = "spec_report.where = require 'lib.here'", ["lib/here.lua"] = "\n" .. here }
    local first = report.where
    reloaded()
    assert.matches("lib/here.lua:2: in main chunk", first, 1, true)
    assert.matches("lib/here.lua:2: in main chunk", report.where, 1, true)
    load { ["lib/here.lua"] = "\n\n" .. here }
    assert.matches("lib/here.lua:3: in main chunk", report.where, 1, true)
  end)

  it("shows where in a module it failed", function()
    write("app.lua", "require 'lib.deep'")
    write("lib/deep.lua", "local function inner()\n  error 'on purpose'\nend\ninner()")
    local err = fails()
    assert.matches("deep.lua:2: on purpose\n", err, 1, true)
    assert.matches("in function 'inner'", err, 1, true)
    assert.matches("deep.lua:4: in main chunk", err, 1, true)
  end)

  it("must give require a name", function()
    write("app.lua", "require()")
    assert.matches("app.lua:1: require takes the name of a module, a string, not a nil", fails(), 1, true)
  end)

  it("is not taken for a file that is being written", function()
    load { ["app.lua"] = "return 1" }
    write("app.lua", "\n")
    assert.matches("app.lua: the file is empty, as one is that is being written", fails(), 1, true)
  end)

  it("may loop for ever while it loads: handlerTimeout ends that", function()
    write("app.lua", "local n = 0 while true do n = n + 1 end")
    runtime.set_handler_timeout(100)
    local err = fails()
    runtime.set_handler_timeout(20000)
    assert.matches("the handler ran for more than 100 ms without waiting", err, 1, true)
    assert.matches("app.lua:1", err, 1, true)
    assert.is_true((jit.status()))
  end)

  it("may loop in a handler at the swap: the others of that version have their clients all the same", function()
    write("app.lua", [[
      local server = require("painda").PPServer { port = 0, host = "127.0.0.1", handlerTimeout = 100 }
      spec_report.server = server
      server:on("connection", function(client)
        client:on("who", function(_, answer) answer(nil, "new") end)
        spec_report.met = (spec_report.met or 0) + 1
        if client.reloaded and spec_report.met == 3 then
          local n = 0
          while true do n = n + 1 end
        end
      end)
      server:on("reload", function(number) spec_report.told = number end)
    ]])
    reloaded()
    local clients = {}
    for i = 1, 3 do
      clients[i] = support.connect(report.server)
      reload.forget(clients[i])
    end
    report.met = 0
    log.set_level "silent"
    reloaded()
    log.set_level "warn"
    assert.same({ 3, reload.current.number }, { report.met, report.told })
    for _, client in ipairs(clients) do
      assert.equal("new", client:request "who")
      client:close()
    end
    report.server:close()
    runtime.set_handler_timeout(20000)
  end)

  it("may take --load-timeout to load", function()
    local limit = app.limit
    app.limit = 20
    write("app.lua", "\nrequire('painda').sleep(60000)")
    local err = fails()
    app.limit = limit
    assert.matches("it was not loaded within 20 ms", err, 1, true)
    assert.matches("app.lua:2", err, 1, true)
  end)

  it("asks for a reload itself, and goes on as what it was", function()
    load { ["app.lua"] = [[
      local painda, reload = require "painda", require "painda.reload"
      function spec_report.again()
        local ok, number = painda.reload()
        return ok, number, reload.is_retired()
      end
    ]] }
    local number = reload.current.number
    local seen
    painda.spawn(function()
      seen = { report.again() }
    end)
    support.eventually(function()
      return seen
    end)
    assert.same({ true, number + 1, true }, seen)
  end)

  it("is loaded whole: files that change meanwhile are loaded again", function()
    load {
      ["app.lua"] = "local a = require 'a' require('painda').sleep(30) spec_report.pair = a .. require 'b'",
      ["a.lua"] = "return 'a1'",
      ["b.lua"] = "return 'b1'",
    }
    assert.equal("a1b1", report.pair)
    local number = reload.current.number
    painda.spawn(reloaded)
    painda.sleep(10)
    write("a.lua", "return 'a2'")
    write("b.lua", "return 'b2'")
    support.eventually(function()
      return reload.current.number > number
    end)
    assert.equal("a2b2", report.pair)
  end)

  it("is not loaded any more once the process ends", function()
    app.stopping = true
    local ok, why = app.reload()
    app.stopping = false
    assert.is_nil(ok)
    assert.equal("the process is shutting down", why)
  end)
end)
