-- Middleware: functions that are asked in order, before a client is let in or a message is handled. Each calls next()
-- to pass what it was asked about on, or next(err) to refuse it; at once, after waiting, or from a callback later.
--
--   middleware.run(list, socket, message, ack_id, done)     done(err) is called once; err is nil where all have passed
--
-- Each runs on a task of its own, so nobody waits for one that waits but who was asked about, and the messages of one
-- client overtake each other where it waits longer for one of them. A list is never changed in place.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local Error = require "painda.error"
local faults = require "painda.faults"
local log = require "painda.log"
local options = require "painda.options"
local reload = require "painda.reload"
local tasks = require "painda.reload.tasks"

local type, error, xpcall, debug, next, setmetatable = type, error, xpcall, debug, next, setmetatable
local new_timer, spawn, handle, size = runtime.timer, runtime.spawn, runtime.handle, core.size
local collectgarbage = collectgarbage

local LOOK_EVERY = 20 -- ms between looks for middleware that has returned and lost its `next`

local _M = {}

-- A new list with fn at its end. `what` names it in reports, with its line: "connection middleware of /admin".
function _M.added(list, what, fn)
  local new = { generation = reload.generation() }
  for i = 1, list and #list or 0 do
    new[i] = list[i]
  end
  local info = debug.getinfo(fn, "S")
  new[#new + 1] = { fn = fn, name = ("%s %d (%s:%d)"):format(what, #new + 1, info.short_src, info.linedefined) }
  return new
end

-- Raises at the caller's caller where fn is no function.
function _M.check(what, fn)
  if type(fn) ~= "function" then
    error(("%s takes a function, not a %s"):format(what, type(fn)), 3)
  end
end

-- --- messages that wait ---

-- What a client may have waiting, in middleware and to be let into namespaces: nil, or why not one more. A message of
-- any size may wait where no other does.
function _M.too_many(client, message)
  local most, count = client.server.options, client._waits
  if count >= most.maxPendingMessages then
    local text = "more than %d messages wait (maxPendingMessages)"
    return Error.new(text:format(most.maxPendingMessages), "MIDDLEWARE_ERROR")
  elseif count > 0 and client._wait_bytes + size(message) > most.maxPendingBytes then
    local text = "more than %d bytes of messages wait (maxPendingBytes)"
    return Error.new(text:format(most.maxPendingBytes), "MIDDLEWARE_ERROR")
  end
end

-- Counts a message that waits, and with -1 one that does so no longer.
function _M.count(client, message, n)
  client._waits = client._waits + n
  client._wait_bytes = client._wait_bytes + n * size(message)
end

-- --- middleware that returns without an answer ---

-- It may have kept `next` for later. If it did not, the collector finds out: nothing else holds the function then.
local kept = setmetatable({}, { __mode = "v" }) -- run → its `next`
local unanswered = {} -- set of the runs that wait for one that has returned
local looking = false
local settle

local look
local function start_looking()
  if not looking and next(unanswered) then
    looking = true
    new_timer(look):start(LOOK_EVERY)
  end
end

function look()
  looking = false
  collectgarbage("step", 200)
  local lost = {}
  for run in next, unanswered do
    if kept[run] == nil then
      lost[#lost + 1] = run
    end
  end
  for i = 1, #lost do
    local run = lost[i]
    log.error(run.list[run.at].name .. " returned without calling next", { client = run.socket.id })
    spawn(settle, run, Error.new("no answer from the middleware", "MIDDLEWARE_ERROR"))
  end
  start_looking()
end

-- --- a run ---

local function stop_waiting(run)
  unanswered[run] = nil
  kept[run] = nil
  if run.timer then
    run.timer:stop()
  end
end

-- The end of a run: on a task of its own, or at the end of the driver's.
function settle(run, err)
  if run.over then
    return
  end
  run.over = true
  stop_waiting(run)
  if run.counted then
    _M.count(run.client, run.message, -1)
  end
  run.done(err)
end

local drive

local function on_late(run)
  local limit = run.server.options.middlewareTimeout
  log.error(("%s did not call next within %d ms"):format(run.list[run.at].name, limit), { client = run.socket.id })
  settle(run, Error.new(("no answer from the middleware within %d ms"):format(limit), "MIDDLEWARE_ERROR"))
end

local function start_timer(run)
  run.timer = run.timer or new_timer(function()
    on_late(run)
  end)
  run.timer:start(run.server.options.middlewareTimeout)
end

local function begin_waiting(run)
  run.waiting = true
  if run.message and not run.counted then
    run.counted = true
    _M.count(run.client, run.message, 1)
  end
  start_timer(run)
end

-- What `next` does the first time that it is called.
local function answer(run, at, err)
  if run.over or run.at ~= at then
    return -- too late
  end
  if err then
    if run.waiting then
      handle(settle, run, Error.from(err, "MIDDLEWARE_ERROR"))
    else
      run.refused = Error.from(err, "MIDDLEWARE_ERROR")
    end
  elseif run.waiting then
    handle(drive, run.socket, run.mtype, run.ack_id, run)
  else
    run.passed = true
  end
end

-- What is wrong with an answer, or nil. It refuses then: who can't say what they mean have not said "yes".
local function answer_fault(err)
  if err ~= nil and type(err) ~= "string" and not Error.is(err) then
    return "next takes nothing, to pass on, or why not: a text or a painda.Error, not " .. options.shown(err)
  end
end

local function on_raise(raised)
  return { raised = raised, trace = debug.traceback("", 2) }
end

local function failed(run, at, failure)
  local entry, err = run.list[at], Error.from(failure.raised, "MIDDLEWARE_ERROR")
  local trace = ("%s failed: %s%s"):format(entry.name, Error.report(err), failure.trace)
  spawn(faults.report, trace, err, run.socket, run.mtype)
  return Error.new(faults.for_client(failure.raised, err).message, "MIDDLEWARE_ERROR")
end

-- Calls one middleware, on a task of its own.
local function invoke(run, at)
  local entry, called = run.list[at], false
  local old = run.list.generation ~= reload.current -- it was replaced while another waited
  if old then
    tasks.enter(run.list.generation)
  end
  local function go_on(err)
    if called then
      log.error(entry.name .. " called next twice", { client = run.socket.id })
      return
    end
    called = true
    local wrong = answer_fault(err)
    answer(run, at, wrong and Error.new(wrong, "MIDDLEWARE_ERROR") or err)
    if wrong then
      error(wrong, 2)
    end
  end
  local ok, failure
  if run.message then
    ok, failure = xpcall(entry.fn, on_raise, run.socket, run.message, go_on)
  else
    ok, failure = xpcall(entry.fn, on_raise, run.socket, go_on)
  end
  if old then
    tasks.enter(nil)
  end
  if not ok then
    local err = failed(run, at, failure)
    if not called then
      go_on(err)
    end
  elseif not called and not run.over then
    kept[run] = go_on
    unanswered[run] = true
    start_looking()
  end
end

-- Asks one after the other as long as they answer at once; one that waits calls it again. The arguments are for
-- painda.faults.
function drive(socket, mtype, _, run) -- luacheck: no unused args
  run.waiting = false
  repeat
    stop_waiting(run)
    run.passed = false
    run.at = run.at + 1
    if run.list[run.at] == nil then
      settle(run)
      return
    end
    if not run.message then -- a client must not be left waiting even where handlerTimeout ends this task too
      start_timer(run)
    end
    handle(invoke, run, run.at)
  until not run.passed
  if run.refused then
    settle(run, run.refused)
  elseif not run.over then
    begin_waiting(run)
  end
end
faults.root(drive)

-- Asks the middleware of `list` about `socket`, or about a message of it. done(err) is called at once where none waits.
function _M.run(list, socket, message, ack_id, done)
  local client = socket._ns and socket.client or socket
  local err = message and _M.too_many(client, message)
  if err then
    done(err)
    return
  end
  local run = {
    list = list,
    server = socket.server,
    socket = socket,
    client = client,
    message = message,
    mtype = message and message.type,
    ack_id = ack_id,
    done = done,
    at = 0,
  }
  drive(socket, run.mtype, ack_id, run)
end

return _M
