-- painda test: busted's describe and it, run inside the event loop. Each test is a task, so it may wait (painda.sleep,
-- client:request …), and it has a limit: one that hangs fails under its own name and the rest goes on. What can't be
-- ended from within, a compiled loop or a call that blocks, ends the run after twice that limit, and is named too.

local last_words = require "painda.core.last_words"
local runtime = require "painda.core.runtime"
local reload = require "painda.reload"
local task = require "painda.task"
local testing = require "painda.testing"
local clocks = require "painda.testing.clock"

local pairs, ipairs, pcall, xpcall, require, tostring, type = pairs, ipairs, pcall, xpcall, require, tostring, type
local assert, rawget, setmetatable, concat = assert, rawget, setmetatable, table.concat
local running, getinfo, getmetatable = coroutine.running, debug.getinfo, debug.getmetatable

local SLACK = 1000 -- ms, past twice the limit, after which the run ends
local LIMIT = 20000 -- ms that one test, one setup or one file's loading may take
local CLOSING = 500 -- ms that what a file left open has to end by itself
local DEBIAN = {
  path = ";/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua",
  cpath = ";/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/aarch64-linux-gnu/lua/5.1/?.so",
}

local _M = {}

-- --- finding busted ---

local function try_busted()
  return pcall(function()
    require "busted.block"
    require "pl.path"
    return require "busted.core"
  end)
end

-- busted's constructor, or nil and one line that says what to do.
local function find_busted()
  local found, core = try_busted()
  if not found then
    package.path = package.path .. DEBIAN.path
    package.cpath = package.cpath .. DEBIAN.cpath
    found, core = try_busted()
  end
  if found then
    return core
  end
  local missing = tostring(core):match "module '([^']+)' not found" or tostring(core):match "^[^\n]*"
  return nil, ("painda test runs busted, which does not load (%s): apt-get install lua-busted"):format(missing)
end

-- busted gives each file its own package.loaded, but the runtime must stay one: it is loaded whole before the first
-- file.
local function load_runtime()
  for name in pairs(package.preload) do
    if name:find "^painda" then
      require(name)
    end
  end
end

-- --- one test at a time, on a task ---

local kinds = { failure = true, pending = true }

-- "failure" for an assertion, "pending" for a test that says so, "error" for the rest.
local function kind_of(raised)
  local meta = getmetatable(raised)
  local kind = type(meta) == "table" and meta.__type
  return kinds[kind] and kind or "error"
end

-- Where a task waits, in the file that its test is written in.
local function where(thread, source)
  for level = 0, 100 do
    local info = getinfo(thread, level, "Sl")
    if not info then
      return ""
    end
    if info.source == source then
      return (", it waits at %s:%d"):format(info.short_src, info.currentline)
    end
  end
end

local function source_of(fn)
  return type(fn) == "function" and getinfo(fn, "S").source or nil
end

-- What is told apart from all others: spec/a_spec.lua:3: "an echo comes back".
local function title_of(busted, element)
  local names, around = {}, element
  while around and around.descriptor ~= "file" do
    if around.name then
      table.insert(names, 1, tostring(around.name))
    end
    around = busted.context.parent(around)
  end
  local trace = element.trace
  local place = trace and trace.short_src and ("%s:%d: "):format(trace.short_src, trace.currentline) or ""
  local name = element.descriptor == "it" and ("%q"):format(concat(names, " ")) or element.descriptor
  local file = element.descriptor == "file" and " " .. tostring(element.name) or ""
  return place .. name .. file
end

-- Until last_words.finish(), the process has this to say where it can't go on.
local function begin_last_words(busted, element, limit)
  local title = title_of(busted, element)
  local late = "painda: %s did not end within %d ms, and can't be ended from within: the run ends here"
  local most = 2 * limit + SLACK
  last_words.begin(most, late:format(title, most), ("painda: %s crashed the process"):format(title))
end

-- Calls run() on a task of its own, for at most `limit` ms. Returns "success", or what went wrong, the message and the
-- trace.
local function run_on_task(busted, run, element, limit)
  local start, waiter, thread = task.waiter(), task.waiter(), nil
  runtime.spawn(function()
    start:wait() -- so that the loop calls it, not this task: the limit of handlers ends the test and nothing else
    thread = running()
    local kind, message, trace = "success", nil, nil
    local ok = xpcall(run, function(raised)
      kind = kind_of(raised)
      trace = busted.getTrace(element, 3, raised)
      message = busted.rewriteMessage(element, raised, trace)
    end)
    if not ok and kind == "success" then -- raised where the handler can't follow
      kind, message = "error", "the error handler failed"
    end
    waiter:wake(kind, message, trace)
  end)
  begin_last_words(busted, element, limit)
  start:wake()
  local kind, message, trace = waiter:wait(limit, true)
  last_words.finish()
  if kind == nil then
    local name = element.name and ("%q"):format(tostring(element.name)) or element.descriptor
    local hint = clocks.is_held() and "; the clock stands still, env.clock:advance(ms) moves it" or ""
    message = ("%s did not end within %d ms%s%s"):format(name, limit, where(thread, source_of(run)), hint)
    kind, message = "failure", busted.rewriteMessage(element, message, element.trace)
    trace = element.trace
  end
  return kind, message, trace
end

-- Calls run() where it stands: busted's own steps, which contain the tests.
local function run_here(busted, run, element)
  local kind, message, trace = "success", nil, nil
  xpcall(run, function(raised)
    kind = kind_of(raised)
    trace = busted.getTrace(element, 3, raised)
    message = busted.rewriteMessage(element, raised, trace)
  end)
  return kind, message, trace
end

local TEST = {} -- stands for the test that runs, with what is called before and after it
local AROUND = { before_each = true, it = true, finally = true, after_each = true }
local BEHIND = { finally = true, after_each = true }

-- The environments of painda.testing end with the test that made them, once its after_each functions have run: busted
-- says nothing then, so it is before whatever comes next. What is made around several tests ends with their block.
local function keep_scopes(busted)
  local over = false
  busted.subscribe({ "describe", "end" }, function(element)
    testing.close_all(TEST)
    testing.close_all(element)
    return nil, true
  end)
  return function(descriptor, element)
    if over and not BEHIND[descriptor] then
      testing.close_all(TEST)
      over = false
    end
    over = over or descriptor == "it"
    local shared = descriptor:find "setup" or descriptor:find "teardown"
    testing.scope = AROUND[descriptor] and TEST or shared and busted.context.parent(element) or element
  end
end

-- Puts our own safe() in the place of busted's: what the files wrote runs on tasks, with a limit.
local function isolate(busted, limit)
  local context = busted.context
  local enter = keep_scopes(busted)
  function busted.safe(descriptor, run, element)
    local written = run == element.run or descriptor == "finally"
    if written then
      enter(descriptor, element)
    end
    context.push(element)
    local kind, message, trace = (written and run_on_task or run_here)(busted, run, element, limit)
    if kind == "failure" and descriptor ~= "it" then -- only a test fails; what surrounds it has errors
      kind = "error"
    end
    if kind ~= "success" then
      busted.publish({ kind, element.descriptor }, element, context.parent(element), message, trace)
    end
    context.pop()
    return busted.status(kind)
  end
end

-- --- between files ---

-- Closes the servers, clients and timers that a file left open.
local function close_all()
  testing.close_all()
  local objects, timers = {}, {}
  for _, object in pairs(reload.objects) do
    objects[#objects + 1] = object
  end
  for timer in pairs(reload.current.timers) do
    timers[#timers + 1] = timer
  end
  for _, timer in ipairs(timers) do
    timer:cancel()
  end
  local left, closed = #objects, task.waiter()
  for _, object in ipairs(objects) do
    runtime.spawn(function()
      if object.gracefulShutdown then
        object:gracefulShutdown(CLOSING)
      else
        object:close()
      end
      left = left - 1
      if left == 0 then
        closed:wake()
      end
    end)
  end
  if left > 0 then
    closed:wait(4 * CLOSING, true)
  end
  reload.states = {}
end

-- --- with reloads ---

local function nothing() end

-- Swaps a generation in that is all that serves now, with the same registrations: what a reload of unchanged code does.
local function reload_all()
  assert(reload.run(function(new)
    local old = reload.current
    for key, entry in pairs(old.objects) do
      local registrations = old.registrations[entry.object]
      if rawget(registrations, "generation") then
        registrations.generation = new
      end
      new.registrations[entry.object] = registrations
      -- a client would be begun anew: it is its own key
      local handlers = key == entry.object and setmetatable({ apply = nothing }, { __index = entry.handlers })
      new.objects[key] = { object = entry.object, handlers = handlers or entry.handlers }
    end
    for timer in pairs(old.timers) do
      timer.generation = new
    end
    new.timers, old.timers = old.timers, {}
    new.unload, old.unload = old.unload, {}
  end))
end

-- --- the run ---

-- Counts what happens: { ran, failed }.
local function count(busted)
  local counts = { ran = 0, failed = 0 }
  local function failed()
    counts.failed = counts.failed + 1
    return nil, true
  end
  busted.subscribe({ "error" }, failed)
  busted.subscribe({ "failure" }, failed)
  busted.subscribe({ "test", "end" }, function(_, _, status)
    if status ~= "pending" then
      counts.ran = counts.ran + 1
    end
    return nil, true
  end)
  busted.subscribe({ "file", "end" }, function()
    close_all()
    return nil, true
  end)
  return counts
end

-- Modules beside the specs, and those of the project that the specs' folder lies in, can be required.
local function extend_path(path, is_file)
  local dir = is_file and (path:match "^(.*)/[^/]*$" or ".") or path:gsub("(.)/+$", "%1")
  for _, folder in ipairs { dir, dir .. "/.." } do
    package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(folder, folder, package.path)
  end
end

local function prepare(new_busted, given)
  local busted = new_busted()
  isolate(busted, given.timeout or LIMIT)
  require "busted"(busted)
  package.loaded["busted.runner"] = function() -- files that would start a run of their own: one is under way
    return function() end
  end
  local counts = count(busted)
  if given.reload then
    busted.subscribe({ "test", "start" }, function()
      reload_all()
      return nil, true
    end)
  end
  local output = io.stdout:seek() == nil and require("term").isatty(io.stdout) and "utfTerminal" or "plainTerminal"
  require "busted.modules.output_handler_loader"()(busted, output, { defaultOutput = output, language = "en" })
  require "busted.luajit"()
  require "busted.modules.filter_loader"()(busted, { filter = given.filter and { given.filter } })
  return busted, counts
end

-- Runs the specs of `path`, a folder or a file, and ends the process: with 0 where at least one test ran and none
-- failed.
function _M.run(path, given, fail)
  if given.filter then
    local ok, wrong = pcall(string.find, "", given.filter)
    if not ok then
      return fail(2, ("--filter takes a Lua pattern, and %q is none: %s"):format(given.filter, wrong))
    end
  end
  local new_busted, missing = find_busted()
  if not new_busted then
    return fail(1, missing)
  end
  local pl_path = require "pl.path"
  if not pl_path.exists(path) then
    return fail(1, ("there is no folder or file %s to take tests from (painda test DIR)"):format(path))
  end
  if not given["log-level"] then
    runtime.set_log_level "warn"
  end
  load_runtime()
  extend_path(path, pl_path.isfile(path))
  runtime.set_handler_timeout(given.timeout or LIMIT)
  local busted, counts = prepare(new_busted, given)
  local load_files = require "busted.modules.test_file_loader"(busted, { "lua" })
  load_files({ path }, { "_spec" }, { excludes = {}, recursive = true })
  require "busted.execute"(busted)(1, {})
  busted.publish { "exit" }
  io.stdout:flush()
  if counts.failed == 0 and counts.ran == 0 then
    local filtered = given.filter and " that --filter lets through" or ""
    return fail(1, ("no test ran: there is none in %s%s"):format(path, filtered))
  end
  runtime.stop(counts.failed > 0 and 1 or 0)
end

return _M
