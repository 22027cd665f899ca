-- The life of a client as the application sees it: connection middleware, the connection handlers, the end.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local hooks = require "painda.hooks"
local middleware = require "painda.middleware"
local namespaces = require "painda.namespace"
local room = require "painda.room"
local sockets = require "painda.socket"

local type = type
local run_each, spawn = emitter.run_each, runtime.spawn
local EMPTY = sockets.EMPTY

local _M = {}

-- Middleware let it in: the plugins hear of it, then the handlers.
local function greet(client)
  local registered = client.server._registered
  if registered.hooks then
    hooks.run(client.server, "onConnect", client)
  end
  local handler = registered.events.connection
  if type(handler) == "function" then
    return spawn(handler, client)
  end
  return spawn(run_each, registered.events, "connection", client)
end

local function decided(client, err)
  if client.closed then
    return
  end
  if err then
    core.send_error(client._ref, "MIDDLEWARE_ERROR", err.message)
    core.close_client(client._ref, 4003, err.message, "forced server disconnect")
    return
  end
  client._pending = nil
  core.accept(client._ref)
  greet(client)
end

-- Lets a client in, where the connection middleware does. Its messages wait until then; nobody else does.
function _M.enter(client)
  local list = client.server._registered.use
  if not list then
    return greet(client)
  end
  client._pending = true
  core.hold(client._ref, true)
  middleware.run(list, client, nil, nil, function(err)
    decided(client, err)
  end)
end

function _M.opened(server, ref, id, address)
  local client = sockets.new(server, ref, id, address)
  core.attach(ref, client)
  _M.enter(client)
end

local function forget_listeners(client)
  client._on, client._events, client._any = EMPTY, EMPTY, false
end

function _M.closed(client, reason, code, room_keys)
  if type(client) ~= "table" then -- it went before its object was made
    return
  end
  client.closed = true
  if room_keys then
    room.gone(client, room_keys)
  end
  if client._acks then
    client._acks:fail("the client disconnected", "CONNECTION_ERROR")
  end
  local server = client.server
  local registered = server._registered
  local heartbeat = server.options.heartbeat
  if reason == "Ping timeout" and heartbeat and heartbeat.onTimeout then
    spawn(heartbeat.onTimeout, client)
  end
  namespaces.left_all(client, room_keys, reason, code)
  spawn(run_each, client._events, "disconnect", reason, code)
  if not client._pending then -- else the handlers never heard of it
    spawn(run_each, registered.events, "disconnection", client, reason, code)
    if registered.hooks then
      spawn(hooks.run, server, "onDisconnect", client, reason, code)
    end
  end
  forget_listeners(client)
  server:_client_gone(client)
end

-- Runs the connection handlers again for a client that was open before a reload.
function _M.reopened(client)
  forget_listeners(client)
  client.reloaded = true
  spawn(run_each, client.server._registered.events, "connection", client)
  namespaces.reopened(client)
end

-- Gives an event of the server to its listeners.
function _M.fire(server, name, ...)
  spawn(run_each, server._registered.events, name, ...)
end

return _M
