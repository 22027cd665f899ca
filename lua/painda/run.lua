-- painda run: loads an application, reloads it when asked to, and drains it at the end.

local runtime = require "painda.core.runtime"
local app = require "painda.app"
local control = require "painda.control"
local explain = require "painda.explain"
local log = require "painda.log"
local luajit = require "painda.luajit"
local ports = require "painda.ports"
local reload = require "painda.reload"
local supervisor = require "painda.core.supervisor"
local task = require "painda.task"

local error, pairs, tostring, tonumber, type = error, pairs, tostring, tonumber, type

local GOODBYE = 250 -- ms that a peer has to answer the last close frame
local IDLE = 100 -- ms after the start at which an application that has opened nothing is told so

local _M = {}

-- Ends the process once every goodbye is written, and answered by those that do so soon.
local function stop_when_written(deadline)
  local answered_by
  while true do
    local now = runtime.now()
    local closing, unwritten = runtime.closing()
    if closing > 0 and unwritten == 0 then
      answered_by = answered_by or now + GOODBYE
    end
    if closing == 0 or now > deadline or answered_by and now > answered_by then
      return runtime.stop(0)
    end
    task.sleep(2)
  end
end

-- Closes everything that the application opened, within `timeout` ms, and ends the process.
local function shut_down(timeout)
  log.info("shutting down", { timeout = timeout })
  local deadline = runtime.now() + timeout
  local left = 0
  local function closed()
    left = left - 1
    if left == 0 then
      runtime.spawn(stop_when_written, deadline)
    end
  end
  local objects = {}
  for _, object in pairs(reload.objects) do
    objects[#objects + 1] = object
  end
  left = #objects + 1
  for _, object in pairs(objects) do
    runtime.spawn(function()
      if type(object.gracefulShutdown) == "function" then
        object:gracefulShutdown(timeout)
      else
        object:close()
      end
      closed()
    end)
  end
  local guard = runtime.timer(function()
    log.warn("the shutdown took too long, the rest is cut off")
    runtime.stop(0)
  end)
  guard:start(timeout + 500)
  closed()
end

local asked = {} -- whether, by [forwarded]: a signal to a whole group reaches the worker and its supervisor

local function on_stop(timeout)
  return function(signal, forwarded)
    if asked[forwarded] then
      return runtime.stop(1)
    end
    asked[forwarded] = true
    if asked[not forwarded] then -- both processes were asked at once
      return
    end
    app.stopping = true
    supervisor.stopping()
    log.debug("signal", { signal = signal })
    shut_down(timeout)
  end
end

-- The first line of an error of the application: the log has the rest.
local function headline(err)
  return explain.with_hint(tostring(err)):match "^[^\n]*"
end

-- painda reload, painda rollback
local function swap_command(swap)
  return function()
    while app.is_busy() do
      task.sleep(10)
    end
    local ok, err = swap()
    if not ok then
      error({ plain = err }, 0)
    end
    return { generation = err }
  end
end

local function accept_commands()
  control.command("reload", swap_command(app.reload))
  control.command("rollback", swap_command(app.rollback))
end

-- Without a supervisor, the service manager hears from the loop itself that it turns.
local function reassure()
  local every = supervisor.watchdog_ms() / 2
  if every == 0 then
    return
  end
  local timer
  timer = runtime.timer(function()
    supervisor.watchdog()
    timer:start(every)
  end, true)
  timer:start(every)
end

-- It runs on all the same: the next version may do something.
local function warn_of_nothing()
  if reload.is_empty() and runtime.stats().tasksWaiting == 0 then
    log.warn("the application has opened no server, and no timer or task of it waits: nothing happens until it is "
      .. "loaded again")
  end
end

function _M.start(path, given, fail)
  local timeout = given["shutdown-timeout"] or "5000"
  if not timeout:find "^%d+$" then
    return fail(2, ("--shutdown-timeout takes milliseconds, not %q"):format(timeout))
  end
  supervisor.settings(given)
  ports.first = given.port
  app.limit = given["load-timeout"] or app.limit
  local fault = luajit.own_fault()
  if fault then
    log.warn(fault)
  end
  local stop = on_stop(tonumber(timeout)) -- from here on: whoever sees the port open may ask for the end
  runtime.on_signal("SIGTERM", stop)
  runtime.on_signal("SIGINT", stop)
  runtime.on_signal("SIGHUP", function()
    app.reload()
  end)
  accept_commands()
  local opened, fault_of_control = control.start(path, given.control)
  if not opened and given.control then
    return fail(1, "--control: " .. fault_of_control)
  elseif not opened then
    log.warn("no control socket, so no painda console or stats: " .. fault_of_control)
  end
  local ok, err = app.start(path)
  if not ok then
    if err:find "\nstack traceback:" then
      log.error(err)
    end
    return fail(1, headline(err))
  end
  supervisor.ready(reload.current.number)
  runtime.timer(warn_of_nothing):start(IDLE) -- an application that has ended the loop is not told
  control.serve()
  reassure()
  if given.watch then
    app.watch()
  end
end

return _M
