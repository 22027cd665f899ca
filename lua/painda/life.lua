-- The life of a client as the application sees it: connection middleware, the connection handlers, the end.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local hooks = require "painda.hooks"
local middleware = require "painda.middleware"
local namespaces = require "painda.namespace"
local room = require "painda.room"
local sockets = require "painda.socket"
local typed_rooms = require "painda.typed_room.rooms"

local ipairs, type = ipairs, type
local run_each, spawn, apart = emitter.run_each, runtime.spawn, runtime.apart
local REFUSED = {} -- in place of a run of the middleware

local _M = {}

-- It is let in: the handlers hear of it.
local function greet(client)
  local registered = client.server._registered
  local handler = registered.events.connection
  if type(handler) == "function" then
    spawn(handler, client)
  else
    spawn(run_each, registered.events, "connection", client)
  end
  if client.recovered then
    namespaces.resumed(client)
  end
end

-- Is there a plugin that is told of each client first?
local function meets(registered)
  return registered.hooks and registered.hooks.onConnect
end

-- Middleware has let it in, or not. The plugins hear of it before the handlers, and may take their time too.
local function decided(client, run, err)
  if client._pending ~= run then -- it went, and perhaps came back and is asked about again
    return
  end
  if err then
    core.send_error(client._ref, "MIDDLEWARE_ERROR", err.message)
    core.close_client(client._ref, 4003, err.message, "forced server disconnect")
    client._pending = REFUSED
    return
  end
  local server = client.server
  while meets(server._registered) and run.met ~= server._registered do -- a reload may come while they wait
    run.met = server._registered
    hooks.run(server, "onConnect", client)
    if client._pending ~= run then
      return
    end
  end
  if core.accept(client._ref) then -- else a middleware or a plugin has closed it
    client._pending = false
    typed_rooms.arrived(client)
    greet(client)
  end
end

-- Lets a client in, where the connection middleware does. Its messages wait until then; nobody else does. One that is
-- back is sent what it missed as soon as it is in.
function _M.enter(client)
  local registered = client.server._registered
  local list = registered.use
  if not list and not meets(registered) then
    if client.recovered then
      core.accept(client._ref)
      typed_rooms.arrived(client)
    end
    return greet(client)
  end
  local run = {}
  client._pending = run
  core.hold(client._ref, not client.recovered)
  if not list then
    return decided(client, run)
  end
  middleware.run(list, client, nil, nil, function(err)
    decided(client, run, err)
  end)
end

-- `failure` is why a session that was asked for was not found: "unknown", "token" or "gap".
function _M.opened(server, ref, id, address, failure)
  local client = sockets.new(server, ref, id, address)
  if failure then
    client.recoveryFailure = failure
  end
  core.attach(ref, client)
  _M.enter(client)
end

-- A client is back, and its session with it: the same object, on another connection.
function _M.resumed(client, address)
  client.closed = nil
  client.recovered = true
  sockets.reconnect(client, address)
  _M.enter(client)
end

local function lost(client, reason, code)
  local server = client.server
  local registered = server._registered
  local heartbeat = server.options.heartbeat
  client.closed = true
  if reason == "Ping timeout" and heartbeat and heartbeat.onTimeout then
    spawn(heartbeat.onTimeout, client)
  end
  spawn(run_each, client._events, "disconnect", reason, code)
  local pending = client._pending
  if not pending then -- else the handlers never heard of it
    spawn(run_each, registered.events, "disconnection", client, reason, code)
  end
  if registered.hooks and (not pending or pending.met) then
    spawn(hooks.run, server, "onDisconnect", client, reason, code)
  end
  client._pending = false
  sockets.forget_listeners(client)
  server:_client_gone(client)
end

-- The connection is gone, for `reason` (nil: that was told before); with `over` the session too, which so leaves the
-- rooms of these keys (may be nil). Else its client may come back to all that it had.
function _M.closed(client, reason, code, over, room_keys)
  if type(client) ~= "table" then -- it went before its object was made
    return
  end
  if room_keys then
    room.gone(client, room_keys)
    typed_rooms.gone(client, room_keys, reason or "session over")
  end
  if over and client._acks then
    client._acks:fail("the client disconnected", "CONNECTION_ERROR")
  end
  namespaces.lost_all(client, over, room_keys, reason, code)
  if not over then
    typed_rooms.away(client)
  end
  if reason then
    lost(client, reason, code)
  end
  if over then
    client.server:_session_over()
  end
end

-- Runs the connection handlers again for a client that was open before a reload.
local function reopened(client, before)
  sockets.leave_listeners(client, before)
  client.reloaded = true
  if client.server._registered.hooks then
    apart(hooks.run, client.server, "onConnect", client)
  end
  apart(run_each, client.server._registered.events, "connection", client)
  namespaces.reopened(client, before)
end

-- Another generation serves than that with the registrations `before`. Answers that its code waits for go to it. What a
-- client's handlers take is not the others': handlerTimeout must not end the swap in its middle.
function _M.swapped(server, before)
  for _, client in ipairs(core.clients(server._core, true)) do
    if type(client) == "table" then
      if client._acks then
        client._acks:retire(before.generation)
      end
      if client._pending then
        sockets.leave_listeners(client, before)
      end
    end
  end
  for _, client in ipairs(server:getClients()) do
    reopened(client, before)
  end
  apart(run_each, server._registered.events, "reload", server._registered.generation.number)
end

-- Gives an event of the server to its listeners.
function _M.fire(server, name, ...)
  spawn(run_each, server._registered.events, name, ...)
end

return _M
