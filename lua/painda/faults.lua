-- What becomes of an error that a task of the application raised: the log, the ack, the error handlers.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local ack = require "painda.ack"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local hooks = require "painda.hooks"
local log = require "painda.log"
local tasks = require "painda.reload.tasks"

local type, debug, setmetatable = type, debug, setmetatable
local spawn, send_control = runtime.spawn, core.send_control

local _M = {
  errors = 0, -- reported since the process began
}

local roots = setmetatable({}, { __mode = "k" })

-- Names a function whose tasks are asked for their first three arguments when they fail: (client, type, ack id). It
-- must not end in a tail call, or it could not be found.
function _M.root(fn)
  roots[fn] = true
  return fn
end

-- The level of the outermost function. A look costs as much as the level is deep, and an overflowed stack is very deep.
local function outermost(thread)
  local low, high = 0, 1
  while debug.getinfo(thread, high, "f") do
    low, high = high, high * 2
  end
  while high - low > 1 do
    local middle = (low + high) / 2
    middle = middle - middle % 1
    if debug.getinfo(thread, middle, "f") then
      low = middle
    else
      high = middle
    end
  end
  return low
end

-- The client (or its socket in a namespace), message type and ack id of a failed task.
local function origin_of(thread)
  local level = outermost(thread)
  local info = debug.getinfo(thread, level, "f")
  if not info or not roots[info.func] then
    return
  end
  local found = {}
  for i = 1, 3 do
    local _, value = debug.getlocal(thread, level, i)
    found[i] = value
  end
  return found[1], found[2], found[3]
end

-- What a client is told of an error: not where in the application it was raised.
function _M.for_client(raised, err)
  if type(raised) ~= "string" then
    return err
  end
  return Error.new((raised:gsub("^[^:\n]+:%d+: ", "")), err.code)
end

-- Rejects the ack of a message, where it asked for one.
function _M.reject(socket, ack_id, err)
  if ack_id and not send_control(socket._ref, "__pp_ack", ack.payload(ack_id, err)) then
    local unsayable = Error.new("the handler failed with an error that is not UTF-8 text", err.code)
    send_control(socket._ref, "__pp_ack", ack.payload(ack_id, unsayable))
  end
end

-- Tells the log, the plugins and the error handlers: of the client, its namespace, the server. The last of them run on
-- this task. `generation` is that of the code where it is not the one that serves.
function _M.report(trace, err, socket, mtype, generation)
  _M.errors = _M.errors + 1
  log.error(trace, {
    type = mtype,
    client = socket and socket.id,
    namespace = socket and socket._ns,
    generation = generation and generation.number or runtime.committed,
  })
  if not socket then
    return
  end
  local registered = socket.server._registered
  if registered.hooks then
    spawn(hooks.run, socket.server, "onError", err, socket.client or socket, mtype)
  end
  spawn(emitter.run_each, socket._events, "error", err, mtype)
  local space = socket._ns and registered.namespaces[socket._ns]
  if space then
    spawn(emitter.run_each, space.events, "error", err, socket, mtype)
  end
  emitter.run_each(registered.events, "error", err, socket.client or socket, mtype)
end

local expected = setmetatable({}, { __mode = "k" })

-- Where the task `thread` fails, fn(raised, thread) is called instead of all that; nil: no more. For a task whose error
-- somebody waits for.
function _M.expect(thread, fn)
  expected[thread] = fn
end

local function on_error(thread, raised, what)
  local waiting = expected[thread]
  if waiting then
    expected[thread] = nil
    return waiting(raised, thread)
  end
  local err = Error.from(raised, "HANDLER_ERROR")
  local socket, mtype, ack_id = origin_of(thread)
  local trace = debug.traceback(thread, ("%s handler failed: %s"):format(what, Error.report(err)))
  if ack_id then
    _M.reject(socket, ack_id, _M.for_client(raised, err))
  end
  _M.report(trace, err, socket, mtype, tasks.of(thread))
end

runtime.set_error_handler(on_error)

return _M
