-- What the specs share: real servers and clients in this process, and waiting for what they do.

local painda = require "painda"
local task = require "painda.task"

local _M = {}

-- What fn(…) raises, as text; fails where it raises nothing.
function _M.raised(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then
    error("nothing was raised", 2)
  end
  return tostring(err)
end

-- The same without the position in front.
function _M.message(fn, ...)
  return (_M.raised(fn, ...):gsub("^[^:\n]+:%d+: ", ""))
end

-- Waits until check() is true; fails after five seconds, also where a test holds the clock.
function _M.eventually(check, what)
  for _ = 1, 1000 do
    if check() then
      return
    end
    task.waiter():wait(5, true)
  end
  error("it did not happen: " .. (what or "?"), 2)
end

-- Waits for an event of a server, a client or a socket, and returns what its listener is given.
function _M.event(emitter, name)
  local waiter = task.waiter()
  emitter:once(name, function(...)
    waiter:wake(true, ...)
  end)
  local function result(ok, ...)
    if not ok then
      error(("no %q came"):format(name), 3)
    end
    return ...
  end
  return result(waiter:wait(5000, true))
end

-- A server on a free port of the loopback; `options` may replace any of its options.
function _M.server(options)
  local all = { port = 0, host = "127.0.0.1" }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return painda.PPServer(all)
end

function _M.url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- A connected client of the server, and the server's socket for it.
function _M.connect(server, options)
  local all = { url = _M.url(server), reconnect = false }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  local waiter = task.waiter()
  server:once("connection", function(socket)
    waiter:wake(socket)
  end)
  local client = painda.PPClient(all)
  _M.event(client, "connect")
  return client, assert(waiter:wait(5000, true))
end

-- Everything that `emitter` tells under that name from here on, as an array of tables of arguments.
function _M.record(emitter, name)
  local seen = {}
  emitter:on(name, function(...)
    seen[#seen + 1] = { ... }
  end)
  return seen
end

return _M
