-- A client in a namespace: what the handlers of that namespace are given.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local arguments = require "painda.arguments"
local Error = require "painda.error"
local hooks = require "painda.hooks"
local room = require "painda.room"
local sockets = require "painda.socket"
local target = require "painda.target"

local setmetatable, rawget, type = setmetatable, rawget, type
local send, spawn = core.send, runtime.spawn
local Socket, ask, result = sockets.Socket, sockets.ask, sockets.result
local EMPTY = sockets.EMPTY

-- Listening is the same as on a client; its handlers are given fn(msg, ack).
local NamespaceSocket = {
  on = Socket.on,
  once = Socket.once,
  off = Socket.off,
  onAny = Socket.onAny,
  offAny = Socket.offAny,
  sendAck = Socket.sendAck,
  request = Socket.request,
  timeout = Socket.timeout,
  -- Rooms, of the namespace.
  join = room.join,
  leave = room.leave,
  to = Socket.to,
  in_ = Socket.in_,
  except = Socket.except,
}

-- Fields that are made when they are read. `broadcast` is every other client in the namespace.
local GETTERS = { rooms = room.rooms }

function GETTERS.broadcast(self)
  return target.new(self.server, self._space, self)
end

function GETTERS.recovered(self)
  return self.client.recovered
end

local metatable = { __name = "painda.NamespaceSocket" }

-- What was stored in the client's own fields, such as `userContext`, is seen here too.
function metatable:__index(name)
  local method = NamespaceSocket[name]
  local getter = GETTERS[name]
  if getter then
    return getter(self)
  end
  if method ~= nil or type(name) == "string" and name:byte() == 95 then -- "_": what is private is not shared
    return method
  end
  return rawget(rawget(self, "client"), name)
end

function metatable:__tostring()
  return ("client %s in %s"):format(self.id, self._ns)
end

local _M = { NamespaceSocket = NamespaceSocket }

function _M.new(client, namespace)
  local self = setmetatable({
    id = client.id,
    data = client.data,
    client = client,
    namespace = namespace,
    handshake = client.handshake,
    server = client.server,
    closed = false,
    reloaded = false,
    _ref = client._ref,
    _ns = namespace.name,
    _space = namespace,
    _in = false, -- the middleware has let it in
    _told = false, -- the handlers know of it
    _on = EMPTY,
    _events = EMPTY, -- "message", "disconnect", "error"
    _any = false,
    _waiting = false, -- messages until it is let in: a list
  }, metatable)
  return self
end

-- It has left, or its client is gone for good. One whose client is away is still in, and is sent what it misses later.
local function has_left(self)
  return self.closed and not self._in
end

local function post(self, mtype, payload, is_volatile)
  if has_left(self) then
    return nil, "closed", "closed"
  end
  if hooks.sending then
    return hooks.send(self.client, mtype, payload, self._ns, nil, is_volatile)
  end
  return send(self._ref, mtype, payload, self._ns, nil, is_volatile)
end

function NamespaceSocket:_ask(mtype, payload, callback, timeout)
  if has_left(self) then
    spawn(callback, Error.new("the socket has left the namespace", "CONNECTION_ERROR"))
    return nil, "closed", "CONNECTION_ERROR"
  end
  return ask(self.client, mtype, payload, callback, timeout, self._ns)
end

-- Sends a message; with a callback, asks for an ack: callback(err, response). true, or nil and "closed".
function NamespaceSocket:emit(mtype, payload, callback)
  if callback ~= nil then
    return result("socket:emit", mtype, self:_ask(mtype, payload, callback))
  end
  return result("socket:emit", mtype, post(self, mtype, payload))
end

-- Sends {type = …, payload = …} or a message as it was received; `options` is a callback, or {volatile}.
function NamespaceSocket:send(message, options)
  local mtype, payload = arguments.message("socket:send", message, 2)
  if type(options) == "function" then
    return result("socket:send", mtype, self:_ask(message.type, message.payload, options))
  end
  options = arguments.send_options("socket:send", options, 2)
  return result("socket:send", mtype, post(self, mtype, payload, options.volatile))
end

-- Leaves the namespace: its handlers hear "disconnect". The client may join again with its next message to it.
-- disconnect(true) closes the client's connection.
function NamespaceSocket:disconnect(connection_too)
  if connection_too then
    self.client:close()
  else
    self.namespace:_leave(self, "forced server disconnect", 1000)
  end
end

-- Closes the client's connection, as client:close does.
function NamespaceSocket:close(code, reason)
  code, reason = arguments.closing("socket:close", code, reason, 2)
  return self.client:close(code, reason)
end

api.serves(Socket, metatable)
api.class("socket", NamespaceSocket, metatable)

return _M
