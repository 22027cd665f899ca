-- Calling the application's listeners, each on a task of its own: none waits for another or falls with it.

local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local log = require "painda.log"

local xpcall, tostring = xpcall, tostring
local traceback = debug.traceback
local spawn, collect = runtime.spawn, emitter.collect

local _M = {}

-- Names that are not message types. A message of such a type is told to "message" listeners only.
_M.EVENTS = {
  open = true,
  connect = true,
  message = true,
  close = true,
  disconnect = true,
  error = true,
  serverError = true,
  recovery = true,
  roomState = true,
  roomDelta = true,
  presence = true,
  reconnecting = true,
  reconnect = true,
  reconnectFailed = true,
  stateChange = true,
}

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.report(raised), 2) }
end

-- Calls fn(...). What it raises goes to the log and to "error" listeners: then nil and the error.
function _M.guarded(client, what, fn, ...)
  local ok, failure = xpcall(fn, on_raise, ...)
  if ok then
    return true
  end
  local err = Error.from(failure.raised, "HANDLER_ERROR")
  log.error(("client's %s handler failed: %s"):format(what, failure.trace), { url = client.url })
  if what ~= "error" then
    _M.fire(client, "error", err)
  end
  return nil, err
end

-- Tells an event to its listeners. An error that nobody listens to is logged.
function _M.fire(client, name, ...)
  local list = {}
  local n = collect(client._events, name, list, 0)
  for i = 1, n do
    spawn(_M.guarded, client, name, list[i], ...)
  end
  if n == 0 and (name == "error" or name == "serverError") then
    log.warn("client: " .. tostring((...)), { code = (...).code, url = client.url })
  end
end

return _M
