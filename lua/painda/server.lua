-- painda.PPServer: a port that clients connect to, and the handlers of what they send.

local core = require "painda.core.server"
local http = require "painda.core.http"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local arguments = require "painda.arguments"
local dispatch = require "painda.dispatch"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local hooks = require "painda.hooks"
local life = require "painda.life"
local log = require "painda.log"
local middleware = require "painda.middleware"
local namespaces = require "painda.namespace"
local plugin = require "painda.plugin"
local ports = require "painda.ports"
local presence = require "painda.presence"
local reload = require "painda.reload"
local server_options = require "painda.server_options"
local slips = require "painda.slips"
local target = require "painda.target"
local task = require "painda.task"
local typed_rooms = require "painda.typed_room.rooms"
local virtual_client = require "painda.virtual_client"

local setmetatable, type, error, tostring, ipairs, next = setmetatable, type, error, tostring, ipairs, next
local broadcast, check, flat = core.broadcast, server_options.check, server_options.flat
local huge, refuse, getmetatable = math.huge, api.refuse, getmetatable

local Server = {}
Server.__index = Server
Server.__name = "painda.Server"

function Server:__tostring()
  return "the server on port " .. self.port
end

-- Names that are not message types. A message of such a type is not given to the listeners of the event.
local EVENTS = {
  connection = true,
  disconnection = true,
  error = true,
  close = true,
  roomJoin = true,
  roomLeave = true,
  reload = true,
}

local EVENT_NAMES = {}
for name in next, EVENTS do
  EVENT_NAMES[#EVENT_NAMES + 1] = name
end

-- --- generations ---

-- What a generation registers for a server. `gate` is set where something is asked before a message's handlers are
-- called: message middleware, or a plugin's onMessage. `hooks` are the plugins' (painda.hooks).
local function fresh(_, generation)
  return {
    generation = generation,
    types = {},
    events = {},
    namespaces = {},
    any = nil,
    use = nil,
    use_message = nil,
    hooks = nil,
    gate = false,
    options = nil,
  }
end

-- Puts a generation's registrations into force: one assignment, then the options.
local function apply(server, registrations)
  server._before = server._registered
  server._registered = registrations
  namespaces.apply(server)
  if registrations.options then
    server.options = registrations.options
    core.configure(server._core, flat(server, registrations.options))
    runtime.set_handler_timeout(registrations.options.handlerTimeout)
    typed_rooms.apply(server)
  end
  if not server._listening then
    core.listen(server._core, server._listener)
    server._listening = true
  end
end

-- Tells the open clients, once every server has the new code's.
local function reopen(server)
  local before = server._before
  server._before = nil
  if before then
    life.swapped(server, before)
  end
end

-- --- making one ---

local _M = {}

local function new_server(listener, owns_listener)
  local server = setmetatable({
    _listener = listener,
    _owns_listener = owns_listener,
    _core = core.new(dispatch.callbacks),
    _namespaces = {}, -- by name, of every generation
    _typed = {}, -- rooms by id
    _typed_count = 0,
    _room_deltas = 0,
    _room_fallen = 0,
    _room_catch_ups = 0,
    _room_catch_up_deltas = 0,
    _room_resyncs = 0,
    _room_desyncs = 0,
    _room_errors = 0,
    startedAt = runtime.now(),
  }, Server)
  server.port = listener:port()
  server.presence = presence.new(server)
  return server
end

local function undo(server)
  if server._owns_listener then
    server._listener:close()
  end
  core.close(server._core)
end

-- Closes a server that never served: the code that opened it is being loaded still.
local function take_back(server)
  server.closing, server.closed = true, true
  reload.forget(server)
  undo(server)
end

local function drop(server)
  runtime.spawn(function()
    server:gracefulShutdown(5000)
  end)
end

local function open(key, checked, make)
  local server, err = reload.object(key, {
    make = make,
    fresh = fresh,
    prepare = typed_rooms.prepare,
    apply = apply,
    reopen = reopen,
    drop = drop,
    undo = undo,
  })
  if not server then
    return nil, err
  end
  local registrations = reload.registrations(server)
  registrations.options = checked
  server.options = server.options or checked
  if not reload.is_loading() then
    apply(server, registrations)
  end
  return server
end

-- A server on a port (or `host = "unix:/path"`). Raises where it can't listen.
function _M.new(given)
  local checked = check(given, 2)
  if not checked.port and not (checked.host and checked.host:find "^unix:") then
    error('PPServer needs the option "port", or host = "unix:/path" (attachTo shares the port of an HttpServer)', 2)
  end
  local port, name = ports.chosen(checked.port)
  local key = ("ws:%s:%s"):format(checked.host or "", name)
  if name == "0" then
    key = reload.numbered_key(key)
  end
  local server, err = open(key, checked, function()
    local listener, why = http.listen {
      host = checked.host,
      port = port or 0,
      cert = checked.tls and checked.tls.cert,
      key = checked.tls and checked.tls.key,
      handshakeTimeout = checked.handshakeTimeout,
      maxPendingPerIp = checked.maxPendingPerIp,
    }
    if not listener then
      return nil, why
    end
    local made = new_server(listener, true)
    log.info("listening", { port = made.port, host = checked.host or "*", tls = checked.tls and "yes" or nil })
    return made
  end)
  if not server then
    Error.raise(ports.fault(err, port), nil, 2)
  end
  return server
end

-- A server on the port of an HttpServer.
function _M.attachTo(http_server, given)
  if type(http_server) ~= "table" or not http_server._listener then
    error("PPServer.attachTo takes a painda.HttpServer and a table of options", 2)
  end
  local checked = check(given or {}, 2)
  local server, err = open("attached:" .. tostring(http_server._listener), checked, function()
    return new_server(http_server._listener, false)
  end)
  if not server then
    Error.raise(Error.outside(err, "TRANSPORT_ERROR"), nil, 2)
  end
  return server
end

-- --- listeners ---

local function place(self, name, level)
  local registrations = reload.registering(self, level + 1)
  return EVENTS[name] and registrations.events or registrations.types
end

local function place_for(self, what, name)
  local listeners = place(self, name, 3)
  if not EVENTS[name] then
    slips.warn("server", what, name, EVENT_NAMES)
  end
  return listeners
end

-- Listens to an event (connection, disconnection, error, close, reload) or to a message type of every client:
-- fn(client, payload, ack, msg).
function Server:on(name, fn)
  emitter.check("server:on", name, fn)
  emitter.add(place_for(self, "server:on", name), name, fn)
  return self
end

function Server:once(name, fn)
  emitter.check("server:once", name, fn)
  emitter.add(place_for(self, "server:once", name), name, fn, true)
  return self
end

function Server:off(name, fn)
  emitter.check_off("server:off", name, fn)
  emitter.remove(place(self, name, 2), name, fn)
  return self
end

-- Hears every message of every client: fn(client, type, payload, ack).
function Server:onAny(fn)
  emitter.check_any("server:onAny", fn)
  local registrations = reload.registering(self, 2)
  registrations.any = registrations.any or {}
  emitter.add(registrations.any, "*", fn)
  return self
end

function Server:offAny(fn)
  emitter.check_off_any("server:offAny", fn)
  local registrations = reload.registering(self, 2)
  if registrations.any then
    emitter.remove(registrations.any, "*", fn)
    if not next(registrations.any) then
      registrations.any = nil
    end
  end
  return self
end

-- --- plugins ---

-- Installs a plugin {name, version, dependencies, install(ctx, options)}: plugin.lua.
function Server:register(what, given)
  plugin.register(self, what, given, 2)
  return self
end

-- What the plugin of that name has exposed, or nil.
function Server:getPlugin(name)
  arguments.name("server:getPlugin", "the name of a plugin", name, 2)
  return plugin.get(self, name)
end

function Server:hasPlugin(name)
  arguments.name("server:hasPlugin", "the name of a plugin", name, 2)
  return plugin.has(self, name)
end

-- The names of the plugins, in the order of registration.
function Server:getPluginNames()
  return plugin.names(self)
end

-- --- middleware and namespaces ---

-- Asks fn(socket, next) before a client is let in.
function Server:use(fn)
  middleware.check("server:use", fn)
  local registrations = reload.registering(self, 2)
  registrations.use = middleware.added(registrations.use, "connection middleware", fn)
  return self
end

-- Asks fn(socket, message, next) before a message is handled, in any namespace.
function Server:useMessage(fn)
  middleware.check("server:useMessage", fn)
  local registrations = reload.registering(self, 2)
  registrations.use_message = middleware.added(registrations.use_message, "message middleware", fn)
  registrations.gate = true
  return self
end

-- The namespace of that name, with its own handlers, middleware and clients; "/" is the server itself.
function Server:of(name)
  return namespaces.of(self, name)
end

-- --- typed rooms ---

-- The typed room of that id: made with the initial state (a table, or a function that makes one) where there is none.
function Server:room(id, initial, given)
  local room = typed_rooms.room(self, id, initial, given, 2) -- no tail call: misuse is reported at the caller's line
  return room
end

-- The typed room of that id, or nil.
function Server:getRoom(id)
  arguments.name("server:getRoom", "the id of a room", id, 2)
  return typed_rooms.get(self, id)
end

-- Disposes the typed room of that id: false where there is none.
function Server:deleteRoom(id)
  arguments.name("server:deleteRoom", "the id of a room", id, 2)
  return typed_rooms.delete(self, id)
end

-- The ids of the typed rooms, in alphabetical order.
function Server:getRoomIds()
  return typed_rooms.ids(self)
end

-- --- sending ---

local function send_out(self, what, mtype, payload, is_volatile, ref, level)
  local sent, text, code
  if hooks.sending then
    sent, text, code = hooks.broadcast(self, mtype, payload, nil, nil, is_volatile, ref)
  else
    sent, text, code = broadcast(self._core, mtype, payload, nil, nil, is_volatile, ref)
  end
  if not sent then
    arguments.refused(what, mtype, text, code, level)
  end
  return sent
end

local function send_to_all(self, what, message, except, is_volatile)
  local mtype, payload = arguments.message(what, message, 3)
  except = arguments.left_out(what, self, except, 3)
  return (send_out(self, what, mtype, payload, is_volatile, except and except._ref, 4))
end

-- Sends a message to every client but `except` (a client or its id). Returns how many it was sent to.
function Server:broadcast(message, except)
  if getmetatable(self) ~= Server then
    refuse("server", "broadcast", self, 2)
  end
  local sent = send_to_all(self, "server:broadcast", message, except)
  return sent -- no tail call: misuse is reported at the caller's line
end

-- The same, left out for clients that are behind.
function Server:broadcastVolatile(message, except)
  local sent = send_to_all(self, "server:broadcastVolatile", message, except, true)
  return sent
end

-- Sends a message to every client: server:emit(type, payload).
function Server:emit(mtype, payload)
  if getmetatable(self) ~= Server then
    refuse("server", "emit", self, 2)
  end
  return (send_out(self, "server:emit", mtype, payload, nil, nil, 3))
end

local function everybody(self)
  local all = self._everybody or target.new(self)
  self._everybody = all
  return all
end

-- Sends every client what makes one state out of another, and nothing where they are equal: painda.target.
function Server:emitDelta(mtype, before, after)
  return everybody(self):emitDelta(mtype, before, after)
end

-- server:to(room):emit(type, payload): who is in the room, or in one of an array of rooms.
function Server:to(names)
  if getmetatable(self) ~= Server then
    refuse("server", "to", self, 2)
  end
  return (target.to(everybody(self), "server:to", names, 2))
end

function Server:in_(names)
  return (target.to(everybody(self), "server:in_", names, 2))
end

-- server:except(room):emit(type, payload): everybody who is not in it.
function Server:except(names)
  return (target.except(everybody(self), "server:except", names, 2))
end

-- --- looking ---

-- The open clients, in no order.
function Server:getClients()
  local found = core.clients(self._core)
  local out = {}
  for _, client in ipairs(found) do
    if type(client) == "table" and not client._pending then
      out[#out + 1] = client
    end
  end
  return out
end

-- Was it ever let in? Then messages reach it, if only once it is back.
local function is_known(client)
  return type(client) == "table" and (not client._pending or client.recovered)
end

-- The client with that id, or nil. With `recovery` also one that is away.
function Server:getClient(id)
  if type(id) ~= "string" then
    error(("server:getClient takes an id, a string, not a %s"):format(type(id)), 2)
  end
  local client = core.by_id(self._core, id)
  return is_known(client) and client or nil
end

local function with_tag(clients, name, value)
  local out = {}
  for _, client in ipairs(clients) do
    if is_known(client) then
      local has = client:getTag(name)
      if has ~= nil and (value == nil or has == value) then
        out[#out + 1] = client
      end
    end
  end
  return out
end

-- The open clients that have the tag, with that value where one is given.
function Server:getClientsByTag(name, value)
  arguments.name("server:getClientsByTag", "the name of a tag", name, 2)
  return with_tag(self:getClients(), name, value)
end

-- Sends to the clients that have the tag, those too that are away. Returns to how many.
function Server:broadcastToTag(name, value, message)
  if message == nil then
    value, message = nil, value
  end
  arguments.name("server:broadcastToTag", "the name of a tag", name, 2)
  arguments.message("server:broadcastToTag", message, 2)
  local sent = 0
  for _, client in ipairs(with_tag(core.clients(self._core, true), name, value)) do
    if client:send(message) then
      sent = sent + 1
    end
  end
  return sent
end

-- Counters since the start, and the state of the runtime.
function Server:getStats()
  local stats = core.stats(self._core)
  stats.uptime = (runtime.now() - self.startedAt) / 1000
  stats.presenceTracked = self.presence:count()
  reload.add_stats(stats)
  stats.typedRooms = self._typed_count
  stats.roomDeltas = self._room_deltas
  stats.roomMembersFellBehind = self._room_fallen
  stats.roomCatchUps = self._room_catch_ups
  stats.roomCatchUpDeltas = self._room_catch_up_deltas
  stats.roomResyncs = self._room_resyncs
  stats.roomDesyncs = self._room_desyncs
  stats.roomErrors = self._room_errors
  for name, value in next, runtime.stats() do
    stats[name] = value
  end
  return stats
end

-- Connects a PPVirtualClient to this server, and returns it.
function Server:inject(client)
  if not virtual_client.is(client) then
    error(("server:inject takes a PPVirtualClient, not a %s"):format(type(client)), 2)
  end
  return client:connect(self)
end

-- --- the end ---

function Server:_client_gone(client)
  presence.gone(self.presence, client)
end

function Server:_session_over()
  if self._drained and core.count(self._core) == 0 then
    self._drained:wake(true)
  end
end

local function stop_listening(self)
  if self.closing then
    return
  end
  self.closing = true
  core.shut(self._core)
  if self._owns_listener then
    self._listener:stop()
  end
  reload.forget(self)
end

local function finish(self)
  if self.closed then
    return
  end
  self.closed = true
  typed_rooms.close(self)
  life.fire(self, "close")
  if self._owns_listener then
    self._listener:close()
  end
  core.close(self._core)
end

local function close_clients(self, reason)
  for _, client in ipairs(core.clients(self._core)) do
    core.close_client(type(client) == "table" and client._ref or client, 1001, "server shutting down", reason)
  end
end

-- Runs the plugins' onShutdown; waits for them, at most `patience` ms, where that is given.
local function tell_plugins(self, patience)
  if not self._registered.hooks then
    return
  end
  local done = task.waiter()
  runtime.spawn(function()
    hooks.run(self, "onShutdown")
    done:wake(true)
  end)
  if patience then
    done:wait(patience)
  end
end

-- Stops accepting and closes every client. Returns at once; "close" is fired when the last is gone.
function Server:close()
  if self.closing then
    return
  elseif not self._listening then
    return take_back(self)
  end
  stop_listening(self)
  tell_plugins(self)
  close_clients(self, "server shutdown")
  runtime.spawn(function()
    self:_await_drain(3000)
    finish(self)
  end)
end

function Server:_await_drain(timeout)
  if core.count(self._core) > 0 then
    self._drained = task.waiter()
    self._drained:wait(timeout)
    self._drained = nil
  end
end

-- Stops accepting, tells the clients (`__pp_shutdown`), lets handlers finish, closes with 1001, and waits until all
-- are gone, at most `timeout` ms (5,000). True where none was left.
function Server:gracefulShutdown(timeout)
  timeout = timeout or 5000
  if type(timeout) ~= "number" or not (timeout >= 0 and timeout < huge) then
    error("server:gracefulShutdown takes the milliseconds that it may take, 0 or more", 2)
  end
  if self.closing then
    return true
  elseif not self._listening then
    take_back(self)
    return true
  end
  local deadline = runtime.now() + timeout
  stop_listening(self)
  tell_plugins(self, timeout / 4)
  core.broadcast_control(self._core, "__pp_shutdown", { reason = "server shutdown", timeoutMs = timeout })
  while runtime.stats().handlersWaiting > 0 and runtime.now() < deadline - timeout / 4 do
    task.sleep(10)
  end
  close_clients(self, "server shutdown")
  self:_await_drain(math.max(1, deadline - runtime.now()))
  local left = core.count(self._core)
  finish(self)
  return left == 0
end

api.class("server", Server, Server, nil, { emit = true, broadcast = true, to = true })

return _M
