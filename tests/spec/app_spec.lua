local app = require "painda.app"
local log = require "painda.log"
local painda = require "painda"
local reload = require "painda.reload"
local support = require "support"

local directory

local function write(name, text)
  local file = assert(io.open(directory .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local function quietly(fn)
  log.set_level "silent"
  local ok, err = fn()
  log.set_level "warn"
  return ok, err
end

local function reloaded()
  local ok, err = quietly(app.reload)
  assert(ok, err)
end

-- What the application under test reports to.
local report = {}
_G.spec_report = report

describe("an application", function()
  local loaders = {}

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir -p " .. directory .. "/game") == 0)
    for i, loader in ipairs(package.loaders) do
      loaders[i] = loader
    end
    write("app.lua", "spec_report.path = ...")
    assert(app.start(directory .. "/app.lua"))
  end)

  teardown(function()
    for i = 1, #package.loaders do
      package.loaders[i] = loaders[i]
    end
    os.execute("rm -rf " .. directory)
    _G.spec_report = nil
  end)

  before_each(function()
    for name in pairs(report) do
      report[name] = nil
    end
  end)

  it("is given its path", function()
    reloaded()
    assert.equal(directory .. "/app.lua", report.path)
  end)

  it("finds the modules beside it, and in folders", function()
    write("one.lua", "local name = ... return { name = name }")
    write("game/init.lua", "return { name = ... }")
    write("game/board.lua", "return { name = ... }")
    write("app.lua", [[
      spec_report.names = { require("one").name, require("game").name, require("game.board").name }
      spec_report.same = require "one" == require "one"
    ]])
    reloaded()
    assert.same({ "one", "game", "game.board" }, report.names)
    assert.is_true(report.same)
  end)

  it("prefers its own modules to those of the system", function()
    write("lfs.lua", "return 'mine'")
    write("app.lua", "spec_report.lfs = require 'lfs'")
    package.loaded.lfs = nil
    reloaded()
    assert.equal("mine", report.lfs)
    os.remove(directory .. "/lfs.lua")
  end)

  it("says where it looked for a module that is not there", function()
    write("app.lua", "require 'nowhere'")
    local ok, err = quietly(app.reload)
    assert.is_nil(ok)
    assert.matches("module 'nowhere' not found", err, 1, true)
    assert.matches("no file " .. directory .. "/nowhere.lua", err, 1, true)
    assert.matches("^" .. directory .. "/app.lua:1: ", err)
    assert.is_true(#err:match "^(.-)\nstack traceback" < 400)
  end)

  it("names the module that is nearest to one that is not there", function()
    write("greeting.lua", "return 1")
    write("game/score.lua", "return 1")
    for wrong, right in pairs { greting = "greeting", gme = "game", ["game.scroe"] = "game.score" } do
      write("app.lua", "\nrequire '" .. wrong .. "'")
      local _, err = quietly(app.reload)
      assert.matches(("app.lua:2: module '%s' not found, did you mean %q?"):format(wrong, right), err, 1, true)
    end
    write("app.lua", "require 'xyzzy'")
    local _, err = quietly(app.reload)
    assert.is_nil(err:find("did you mean", 1, true))
    write("app.lua", "spec_report.lfs, spec_report.core = require 'lfs', require 'pl.path'")
    reloaded()
    assert.is_table(report.core)
  end)

  it("is told of a NUL byte that does not compile", function()
    write("app.lua", "local a = 1\nlocal b\n\0 = 3")
    for _ = 1, 2 do
      local _, err = quietly(app.reload)
      assert.matches("app.lua:3: unexpected symbol: there is a NUL byte in line 3", err, 1, true)
    end
    write("app.lua", "spec_report.text = 'a\0b'")
    reloaded()
    assert.equal("a\0b", report.text)
  end)

  it("loads its modules again, and what they hold is new", function()
    write("counter.lua", "return { n = 0 }")
    write("app.lua", "local c = require 'counter' c.n = c.n + 1 spec_report.n = c.n")
    reloaded()
    reloaded()
    assert.equal(1, report.n)
  end)

  it("does not load the runtime again", function()
    write("app.lua", "spec_report.painda = require 'painda' spec_report.task = require 'painda.task'")
    local task = require "painda.task"
    reloaded()
    assert.equal(painda, report.painda)
    assert.equal(task, report.task)
  end)

  it("has globals of its own, which its modules share and the next generation does not", function()
    write("module.lua", "shared = (shared or 0) + 1")
    write("app.lua", [[
      spec_report.before = shared
      shared = 10
      require "module"
      spec_report.after, spec_report.g = shared, _G.shared
    ]])
    reloaded()
    assert.is_nil(report.before)
    assert.equal(11, report.after)
    assert.equal(11, report.g)
    reloaded()
    assert.is_nil(report.before)
    assert.is_nil(rawget(_G, "shared"))
  end)

  it("keeps what painda.state holds", function()
    write("app.lua", "local s = require('painda').state('spec') s.n = (s.n or 0) + 1 spec_report.n = s.n")
    reloaded()
    reloaded()
    assert.equal(2, report.n)
  end)

  it("goes on with the old code where the new one does not compile, and says where", function()
    write("module.lua", "return 1")
    write("app.lua", "spec_report.require, spec_report.module = require, require 'module'")
    reloaded()
    local number = reload.current.number
    write("app.lua", "local x = = 1")
    local ok, err = quietly(app.reload)
    assert.is_nil(ok)
    assert.equal(directory .. "/app.lua:1: unexpected symbol near '='", err)
    assert.equal(number, reload.current.number)
    write("module.lua", "return 2")
    assert.equal(1, report.require "module")
  end)

  it("goes on with the old modules where a module fails, and has none of the new", function()
    write("good.lua", "return 'old'")
    write("app.lua", "require 'good' spec_report.require = require")
    reloaded()
    write("good.lua", "return 'new'")
    write("bad.lua", "error 'on purpose'")
    write("app.lua", "require 'good' require 'bad'")
    local ok, err = quietly(app.reload)
    assert.is_nil(ok)
    assert.matches("bad.lua:1: on purpose", err, 1, true)
    assert.matches("stack traceback", err, 1, true)
    assert.equal("old", report.require "good")
    assert.is_nil(package.loaded.good)
    assert.is_nil(package.loaded.bad)
  end)

  it("names the module that does not compile", function()
    write("bad.lua", "return {")
    write("app.lua", "require 'bad'")
    local ok, err = quietly(app.reload)
    assert.is_nil(ok)
    assert.matches("bad.lua:1: unexpected symbol near '<eof>'", err, 1, true)
  end)

  it("recovers once it is mended", function()
    write("app.lua", "spec_report.mended = true")
    reloaded()
    assert.is_true(report.mended)
  end)

  it("may wait while it loads; a reload that is asked for meanwhile follows", function()
    write("app.lua", "require('painda').sleep(20) spec_report.loads = (spec_report.loads or 0) + 1")
    local number = reload.current.number
    painda.spawn(reloaded)
    painda.sleep(1)
    local ok, why = app.reload()
    assert.is_nil(ok)
    assert.equal("a reload is under way", why)
    support.eventually(function()
      return report.loads == 2
    end)
    assert.equal(number + 2, reload.current.number)
  end)

  it("can't be asked for by the code that is being loaded, which would never end", function()
    write("app.lua", [[
      spec_report.loads = (spec_report.loads or 0) + 1
      local painda = require "painda"
      for _, ask in ipairs { painda.reload, painda.rollback } do
        spec_report.ok, spec_report.why = pcall(function() ask() return 1 end)
      end
    ]])
    local number = reload.current.number
    reloaded()
    assert.is_false(report.ok)
    assert.matches("app.lua:%d+: code that is being loaded can't have the application loaded again", report.why)
    painda.sleep(20)
    assert.equal(1, report.loads)
    assert.equal(number + 1, reload.current.number)
  end)

  it("can't wait in a module that is being required, and is told so", function()
    write("slow.lua", "require('painda').sleep(1)")
    write("app.lua", "require 'slow'")
    local ok, err = quietly(app.reload)
    assert.is_nil(ok)
    assert.matches("this call waits, which is not possible inside", err, 1, true)
    assert.matches("require", err, 1, true)
  end)
end)

describe("checking a file", function()
  it("finds what does not compile, and runs nothing", function()
    local path = os.tmpname()
    local function check(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      return app.check(path)
    end
    assert.is_nil(check "error 'it ran'")
    assert.is_nil(check "#!/usr/bin/env painda\nreturn 1")
    assert.equal(path .. ":2: '=' expected near 'b'", check "\na b")
    os.remove(path)
    assert.matches("No such file", app.check(path), 1, true)
  end)
end)
