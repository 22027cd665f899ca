-- Namespaces: handlers, middleware and clients of their own over the same connection. A client joins one with its first
-- message to it.
--
--   registrations.namespaces[name] = { types, events, any, use, use_message }     of one generation
--   client._spaces[name]           = the client's socket in it, also while it waits to be let in

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local arguments = require "painda.arguments"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local faults = require "painda.faults"
local handlers = require "painda.handlers"
local middleware = require "painda.middleware"
local options = require "painda.options"
local namespace_socket = require "painda.namespace_socket"
local reload = require "painda.reload"
local room = require "painda.room"
local sockets = require "painda.socket"
local target = require "painda.target"

local setmetatable, type, error, next, unpack = setmetatable, type, error, next, unpack
local send_control = core.send_control
local run_each, spawn, gather = emitter.run_each, runtime.spawn, handlers.gather
local EVENTS, EMPTY = sockets.EVENTS, sockets.EMPTY

local Namespace = {}
Namespace.__index = Namespace
Namespace.__name = "painda.Namespace"

function Namespace:__tostring()
  return "namespace " .. self.name
end

local OWN_EVENTS = { connection = true, disconnection = true, error = true, roomJoin = true, roomLeave = true }
local NOTHING = { types = {}, events = {} } -- of a namespace that the running generation does not have

local _M = { Namespace = Namespace }

-- --- making one ---

-- What is wrong with the name of a namespace, or nil.
function _M.name_fault(name)
  if type(name) ~= "string" then
    return ("it is a string, not %s"):format(options.shown(name))
  elseif name:sub(1, 1) ~= "/" then
    return ('it begins with a slash: "/admin", not %q'):format(name:sub(1, 64))
  end
  local fault = core.room_fault(name, 255)
  return fault and "it " .. fault
end

local function check_name(name)
  local fault = _M.name_fault(name)
  if fault then
    error("server:of takes the name of a namespace: " .. fault, 3)
  end
end

-- The table of this generation for the namespace.
local function registrations_of(self, level)
  local spaces = reload.registering(self.server, level + 1).namespaces
  local space = spaces[self.name]
  if not space then
    space = { types = {}, events = {} }
    spaces[self.name] = space
  end
  return space
end

-- The namespace of that name; "/" is the server itself.
function _M.of(server, name)
  check_name(name)
  if name == "/" then
    return server
  end
  local namespace = server._namespaces[name]
  if not namespace then
    namespace = setmetatable({
      name = name,
      server = server,
      key = name .. "\0", -- the room of all who are in it: painda.target, painda.room
      socket_of = function(client)
        return client._spaces and client._spaces[name]
      end,
      _registered = NOTHING,
    }, Namespace)
    server._namespaces[name] = namespace
  end
  registrations_of(namespace, 2)
  if not reload.is_loading() then
    _M.apply(server)
  end
  return namespace
end

-- A generation's registrations of the server are in force.
function _M.apply(server)
  for name, namespace in next, server._namespaces do
    namespace._registered = server._registered.namespaces[name] or NOTHING
  end
end

-- --- listeners ---

local function place(self, name)
  local space = registrations_of(self, 3)
  return OWN_EVENTS[name] and space.events or space.types
end

-- Listens to connection, fn(socket), disconnection, fn(socket, reason, code), or error, fn(err, socket, type); or to a
-- message type: fn(msg, ack, socket).
function Namespace:on(name, fn)
  emitter.check("namespace:on", name, fn)
  emitter.add(place(self, name), name, fn)
  return self
end

-- The same, for the next time only.
function Namespace:once(name, fn)
  emitter.check("namespace:once", name, fn)
  emitter.add(place(self, name), name, fn, true)
  return self
end

-- Stops listening: one function, or every listener of that name.
function Namespace:off(name, fn)
  emitter.check_off("namespace:off", name, fn)
  emitter.remove(place(self, name), name, fn)
  return self
end

-- Hears every message: fn(msg, ack, socket).
function Namespace:onAny(fn)
  emitter.check_any("namespace:onAny", fn)
  local space = registrations_of(self, 2)
  space.any = space.any or {}
  emitter.add(space.any, "*", fn)
  return self
end

function Namespace:offAny(fn)
  emitter.check_off_any("namespace:offAny", fn)
  local space = registrations_of(self, 2)
  if space.any then
    emitter.remove(space.any, "*", fn)
  end
  return self
end

-- Asks fn(socket, next) before a client is let into the namespace.
function Namespace:use(fn)
  middleware.check("namespace:use", fn)
  local space = registrations_of(self, 2)
  space.use = middleware.added(space.use, "connection middleware of " .. self.name, fn)
  return self
end

-- Asks fn(socket, message, next) before a message is handled.
function Namespace:useMessage(fn)
  middleware.check("namespace:useMessage", fn)
  local space = registrations_of(self, 2)
  space.use_message = middleware.added(space.use_message, "message middleware of " .. self.name, fn)
  return self
end

-- --- sending ---

-- Its callers end in a tail call: misuse is raised at the line of theirs.
local function send_to_all(self, message, except, is_volatile)
  arguments.message("namespace:broadcast", message, 2)
  except = arguments.left_out("namespace:broadcast", self.server, except, 2)
  local everybody = target.new(self.server, self, except)
  return (is_volatile and everybody:volatile() or everybody):send(message)
end

-- Sends a message to every client in the namespace but `except` (a socket, a client or an id). Returns to how many.
function Namespace:broadcast(message, except)
  return send_to_all(self, message, except)
end

-- The same, left out for clients that are behind.
function Namespace:broadcastVolatile(message, except)
  return send_to_all(self, message, except, true)
end

-- Sends a message to every client in the namespace: namespace:emit(type, payload).
function Namespace:emit(mtype, payload)
  return target.new(self.server, self):emit(mtype, payload)
end

-- Sends every client in the namespace what makes one state out of another, and nothing where they are equal.
function Namespace:emitDelta(mtype, before, after)
  return target.new(self.server, self):emitDelta(mtype, before, after)
end

-- namespace:to(room):emit(type, payload): who is in that room of the namespace, or in one of an array of rooms.
function Namespace:to(names)
  return (target.to(target.new(self.server, self), "namespace:to", names, 2))
end

function Namespace:in_(names)
  return (target.to(target.new(self.server, self), "namespace:in_", names, 2))
end

-- namespace:except(room):emit(type, payload): everybody in the namespace who is not in that room.
function Namespace:except(names)
  return (target.except(target.new(self.server, self), "namespace:except", names, 2))
end

-- The sockets in the namespace, in no order.
function Namespace:getClients()
  return target.new(self.server, self):fetchSockets()
end

api.class("namespace", Namespace, Namespace)

-- --- telling a client that it can't ---

function _M.unknown(name)
  local text = #name <= 255 and "unknown namespace " .. name or "unknown namespace, of a name that is too long"
  return Error.new(text, "NAMESPACE_ERROR")
end

-- Sends `__pp_error` for a refused message or client, in the namespace that it is about.
function _M.tell(client, err, ns)
  local code = err.code == "NAMESPACE_ERROR" and err.code or "MIDDLEWARE_ERROR"
  send_control(client._ref, "__pp_error", { code = code, message = err.message }, ns)
end

-- --- handlers ---

local given_to = {
  socket = function(_, message, answer)
    return message, answer
  end,
  server = function(socket, message, answer)
    return message, answer, socket
  end,
}

-- Gives a message to: onAny of the namespace, onAny and "message" of the socket, its type on both.
local function call_handlers(socket, mtype, ack_id, message, registered)
  local space = registered.namespaces[socket._ns] or NOTHING
  local own = sockets.listeners(socket, registered)
  sockets.tidy(socket.client)
  if socket.closed then
    return
  end
  local list, kinds, n = {}, {}, 0
  if space.any then
    n = gather(list, kinds, n, space.any, "*", "server")
  end
  if own._any then
    n = gather(list, kinds, n, own._any, "*", "socket")
  end
  n = gather(list, kinds, n, own._events, "message", "socket")
  if not EVENTS[mtype] then
    n = gather(list, kinds, n, own._on, mtype, "socket")
  end
  n = gather(list, kinds, n, space.types, mtype, "server")
  handlers.as_begun(list, n, registered.generation)
  local answer = handlers.ack_for(socket, ack_id)
  for i = 1, n do
    handlers.run(socket, mtype, ack_id, list[i], given_to[kinds[i]](socket, message, answer))
  end
end

-- A message of a client that is in the namespace, for the generation that it began with.
local function pass(socket, mtype, ack_id, message, registered)
  local space = registered.namespaces[socket._ns] or NOTHING
  if not space.use_message then
    call_handlers(socket, mtype, ack_id, message, registered)
    return
  end
  middleware.run(space.use_message, socket, message, ack_id, function(err)
    if err then
      _M.tell(socket, err, socket._ns)
      faults.reject(socket, ack_id, err)
    else
      call_handlers(socket, message.type, ack_id, message, registered)
    end
  end)
end

-- --- joining ---

-- The messages that wait, which do so no longer.
local function take_waiting(socket)
  local waiting = socket._waiting or EMPTY
  socket._waiting = false
  for i = 1, #waiting do
    middleware.count(socket.client, waiting[i][3], -1)
  end
  return waiting
end

local function refuse(socket, err)
  local waiting = take_waiting(socket)
  socket.namespace:_leave(socket) -- with rooms, if it has joined some in middleware, or before its client came back
  _M.tell(socket, err, socket._ns)
  for i = 1, #waiting do
    faults.reject(socket, waiting[i][2], err)
  end
end

local function let_in(socket, err)
  local client, name = socket.client, socket._ns
  if client.closed or socket.closed then
    return
  end
  local space = socket.server._registered.namespaces[name]
  if err or not space then
    return refuse(socket, err or _M.unknown(name))
  end
  local waiting = take_waiting(socket)
  core.join(client._ref, socket.namespace.key)
  socket._in = true
  socket._told = true
  spawn(run_each, space.events, "connection", socket)
  for i = 1, #waiting do
    local mtype, ack_id, message, registered = unpack(waiting[i], 1, 4)
    if registered == socket.server._registered then
      pass(socket, mtype, ack_id, message, registered)
    else
      _M.again(client, mtype, ack_id, name, message)
    end
  end
end

local function enter(socket)
  local list, run = socket.server._registered.namespaces[socket._ns].use, {}
  if not list then
    let_in(socket)
    return
  end
  socket._run = run
  middleware.run(list, socket, nil, nil, function(err)
    if socket._run == run then -- else its client went and came back: it is asked about again
      let_in(socket, err)
    end
  end)
end

local function join(client, name)
  local namespace = client.server._namespaces[name]
  local socket = namespace_socket.new(client, namespace)
  socket._waiting = {}
  client._spaces = client._spaces or {}
  client._spaces[name] = socket
  return socket
end

local function wait(socket, mtype, ack_id, message, registered)
  local waiting, err = socket._waiting, middleware.too_many(socket.client, message)
  if err then
    _M.tell(socket, err, socket._ns)
    faults.reject(socket, ack_id, err)
    return
  end
  middleware.count(socket.client, message, 1)
  waiting[#waiting + 1] = { mtype, ack_id, message, registered }
end

-- A message to the namespace `name`, which exists: its client joins with the first.
function _M.receive(client, name, mtype, ack_id, message, registered)
  local socket = client._spaces and client._spaces[name]
  if socket and not socket._waiting then
    pass(socket, mtype, ack_id, message, registered)
    return
  end
  if socket then
    wait(socket, mtype, ack_id, message, registered)
    return
  end
  if not client.server._registered.namespaces[name] then -- a reload has taken it away while the message waited
    return _M.again(client, mtype, ack_id, name, message)
  end
  socket = join(client, name)
  if client.server._registered.namespaces[name].use then
    wait(socket, mtype, ack_id, message, registered)
    enter(socket)
  else
    enter(socket)
    pass(socket, mtype, ack_id, message, registered)
  end
end

-- --- leaving ---

-- Where its handlers have heard of it, and not that it is gone. `reason` is nil where they did not need to.
local function tell_lost(socket, reason, code)
  if reason and socket._told then
    socket._told = false
    spawn(run_each, socket._events, "disconnect", reason, code)
    spawn(run_each, socket.namespace._registered.events, "disconnection", socket, reason, code)
    socket._on, socket._events, socket._any = EMPTY, EMPTY, false
  end
end

-- `rooms` are the names of those that it was in.
local function left(socket, rooms, reason, code)
  take_waiting(socket)
  socket.closed, socket._in = true, false
  socket.rooms = rooms
  for i = 1, #rooms do
    room.tell(socket, "roomLeave", rooms[i])
  end
  tell_lost(socket, reason, code)
end

-- The socket leaves, with its rooms; the client stays.
function Namespace:_leave(socket, reason, code)
  if socket.closed then
    return
  end
  local rooms = room.rooms(socket)
  for i = 1, #rooms do
    core.leave(socket._ref, self.key .. rooms[i])
  end
  core.leave(socket._ref, self.key)
  socket.client._spaces[self.name] = nil
  left(socket, rooms, reason, code)
end

-- The client is gone, for `reason` (nil: that was told before); if it is for good (`over`), it has left the rooms of
-- these keys (may be nil).
function _M.lost_all(client, over, keys, reason, code)
  for name, socket in next, client._spaces or EMPTY do
    if over then
      left(socket, room.within(socket.namespace, keys or EMPTY), reason, code)
    elseif socket._in then
      socket.closed = true
      take_waiting(socket) -- what it waited with is lost
      tell_lost(socket, reason, code)
    else
      socket.namespace:_leave(socket)
    end
  end
  if over then
    client._spaces = false
  end
end

-- The client is back where it was: its namespaces' middleware is asked again, then their connection handlers run.
function _M.resumed(client)
  for name, socket in next, client._spaces or EMPTY do
    socket.closed, socket.handshake = false, client.handshake
    if client.server._registered.namespaces[name] then
      socket._waiting = {}
      enter(socket)
    else
      socket.namespace:_leave(socket, "forced server disconnect", 1000)
    end
  end
end

-- A new generation serves: who is in a namespace that it has stays, and is told to its connection handlers.
function _M.reopened(client, before)
  for name, socket in next, client._spaces or EMPTY do
    local space = client.server._registered.namespaces[name]
    sockets.leave_listeners(socket, before)
    if not space and socket._waiting and not socket._in then
      refuse(socket, _M.unknown(name))
    elseif not space then
      socket.namespace:_leave(socket, "forced server disconnect", 1000)
    elseif not socket._waiting then
      socket.reloaded = true
      runtime.apart(run_each, space.events, "connection", socket)
    end
  end
end

return _M
