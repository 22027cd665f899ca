-- The client socket: what a server's handlers are given for each client.

local core = require "painda.core.server"
local ack = require "painda.ack"
local api = require "painda.api"
local arguments = require "painda.arguments"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local flat = require "painda.flat"
local hooks = require "painda.hooks"
local query = require "painda.query"
local reload = require "painda.reload"
local room = require "painda.room"
local slips = require "painda.slips"
local target = require "painda.target"

local setmetatable, getmetatable, rawget, rawset, next = setmetatable, getmetatable, rawget, rawset, next
local type, error = type, error
local flat_send, relay = flat.send, flat.relay
local refuse = api.refuse
local send, send_control = core.send, core.send_control

local Socket = { recovered = false }
local EMPTY, writable = emitter.EMPTY, emitter.writable

-- Names that mean something else than a message type; a message of such a type is told to "message" listeners only.
local EVENTS = { message = true, disconnect = true, error = true }
local EVENT_NAMES = { "message", "disconnect", "error" }

local _M = { EVENTS = EVENTS, Socket = Socket, EMPTY = EMPTY }

-- --- the handshake, read when it is asked for ---

local Handshake = {}

-- The token that the client came with: `?token=` or `Authorization: Bearer`; `__pp_auth` replaces it.
local function find_token(handshake)
  local bearer = handshake.headers.authorization
  return handshake.query.token or bearer and bearer:match "^[Bb]earer%s+(%S+)$"
end

function Handshake:__index(name)
  local ref = rawget(self, 1)
  local found = ref and core.handshake(ref)
  if not found then
    return nil
  end
  rawset(self, 1, nil)
  for key, value in next, found do
    rawset(self, key, value)
  end
  rawset(self, "query", query.parse(found.query))
  if rawget(self, "token") == nil then
    rawset(self, "token", find_token(self))
  end
  return rawget(self, name)
end

local function new_handshake(ref, address)
  return setmetatable({ ref, address = address }, Handshake)
end

-- --- making one ---

-- Fields that are made when they are read.
local GETTERS = { rooms = room.rooms }

-- Every other client.
function GETTERS.broadcast(self)
  local others = target.new(self.server, nil, self)
  rawset(self, "broadcast", others) -- kept by those who use it
  return others
end

-- What most clients never have: fields here, so that their tables stay small.
Socket._acks = false
Socket._spaces = false -- its sockets in namespaces, by name
Socket._waits = 0 -- its messages that wait in middleware, or to be let into a namespace
Socket._wait_bytes = 0
Socket._pending = false -- middleware has not let it in yet
Socket._left = false -- listeners of replaced code, for messages that it began with: registrations → listeners

local metatable = { __name = "painda.Client" }

function metatable:__index(name)
  local method = Socket[name]
  if method ~= nil then
    return method
  end
  local getter = GETTERS[name]
  return getter and getter(self)
end

function metatable:__tostring()
  return "client " .. self.id
end

function _M.new(server, ref, id, address)
  return setmetatable({
    id = id,
    data = {},
    handshake = new_handshake(ref, address),
    server = server,
    _ref = ref,
    _on = EMPTY, -- message type → listener
    _events = EMPTY, -- "message", "disconnect", "error" → listener
    _any = false,
  }, metatable)
end

-- The client has another connection.
function _M.reconnect(self, address)
  self.handshake = new_handshake(self._ref, address)
end

-- --- listeners ---

function _M.forget_listeners(self)
  self._on, self._events, self._any = EMPTY, EMPTY, false
end

-- The same at a reload; `before` are the registrations that served until then. Messages that wait in middleware are
-- handled by the code that they began with.
function _M.leave_listeners(self, before)
  if (self.client or self)._waits > 0 then
    self._left = self._left or {}
    self._left[before] = { _on = self._on, _events = self._events, _any = self._any }
  end
  _M.forget_listeners(self)
end

-- Nothing of the client waits any more: nobody asks for those.
function _M.tidy(client)
  if client._left and client._waits == 0 then
    client._left = false
    for _, socket in next, client._spaces or EMPTY do
      socket._left = false
    end
  end
end

-- What has the listeners of a client, or a socket, for a message that began under those registrations.
function _M.listeners(self, registered)
  return self._left and self._left[registered] or self
end

-- May the running code add and remove listeners? What was replaced has no say any more, and what is being loaded would
-- change the clients of the code that serves.
local function may_listen(what)
  if reload.is_loading() then
    local text = "%s while the application is loaded: do it in a connection handler, which runs after a reload too"
    error(text:format(what), 3)
  end
  return not reload.is_retired()
end

local function add(self, name, fn, once)
  local listeners = writable(self, EVENTS[name] and "_events" or "_on")
  local limit = self.server.options.maxListeners
  if next(self._on) or next(self._events) then
    local count = emitter.count(self._on) + emitter.count(self._events)
    if count >= limit then
      error(("a client has at most %d listeners (maxListeners): %q is one too many"):format(limit, name), 3)
    end
  end
  emitter.add(listeners, name, fn, once)
  if not EVENTS[name] then
    slips.warn("client", once and "client:once" or "client:on", name, EVENT_NAMES)
  end
end

-- Listens to a message type, fn(payload, ack, msg), or to "message", fn(msg), "disconnect", fn(reason), or "error",
-- fn(err).
function Socket:on(name, fn)
  emitter.check("client:on", name, fn)
  if may_listen "client:on" then
    add(self, name, fn)
  end
  return self
end

-- The same, for the next time only.
function Socket:once(name, fn)
  emitter.check("client:once", name, fn)
  if may_listen "client:once" then
    add(self, name, fn, true)
  end
  return self
end

-- Stops listening: one function, or every listener of that name.
function Socket:off(name, fn)
  emitter.check_off("client:off", name, fn)
  if may_listen "client:off" then
    emitter.remove(writable(self, EVENTS[name] and "_events" or "_on"), name, fn)
  end
  return self
end

-- Hears every message: fn(type, payload, ack).
function Socket:onAny(fn)
  emitter.check_any("client:onAny", fn)
  if may_listen "client:onAny" then
    self._any = self._any or {}
    emitter.add(self._any, "*", fn)
  end
  return self
end

function Socket:offAny(fn)
  emitter.check_off_any("client:offAny", fn)
  if self._any and may_listen "client:offAny" then
    emitter.remove(self._any, "*", fn)
    if not next(self._any) then
      self._any = false
    end
  end
  return self
end

-- --- sending ---

-- Misuse raises at the application's line, as those end in a tail call who ask
-- this; a client that is gone is an answer.
local function result(what, mtype, sent, text, code)
  if sent then
    return sent
  end
  if code == "ENCODE_ERROR" then
    arguments.refused(what, mtype, text, code, 2)
  end
  return nil, text
end

local function ask(self, mtype, payload, callback, timeout, ns)
  local pending = self._acks
  if not pending then
    pending = ack.pending(self.server.options.maxPendingAcks)
    self._acks = pending
  end
  local id = pending:ask(callback, timeout or self.server.options.ackTimeout)
  local sent, text, code
  if hooks.sending then
    sent, text, code = hooks.send(self, mtype, payload, ns, id)
  else
    sent, text, code = send(self._ref, mtype, payload, ns, id)
  end
  if not sent then
    code = code == "closed" and "CONNECTION_ERROR" or code
    pending:answer(id, Error.new(text, code))
  end
  return sent, text, code
end

_M.ask, _M.result = ask, result -- for the sockets of namespaces

-- Sends a message; with a callback, asks for an ack: callback(err, response). true, or nil and "closed".
function Socket:emit(mtype, payload, callback)
  if getmetatable(self) ~= metatable then
    refuse("client", "emit", self, 2)
  end
  if callback ~= nil then
    return result("client:emit", mtype, ask(self, mtype, payload, callback))
  end
  if hooks.sending then
    return result("client:emit", mtype, hooks.send(self, mtype, payload))
  end
  if flat_send(self._ref, mtype, payload) then
    return true
  end
  local sent, text, code = send(self._ref, mtype, payload)
  if sent then
    return sent
  end
  return result("client:emit", mtype, sent, text, code)
end

-- Sends {type = …, payload = …} or a message as it was received; `options` is a callback, or {volatile, namespace}.
function Socket:send(message, options)
  if getmetatable(self) ~= metatable then
    refuse("client", "send", self, 2)
  end
  local mtype, payload = arguments.message("client:send", message, 2)
  if options == nil and mtype == message and not hooks.sending and relay(self._ref, message) then
    return true
  end
  if type(options) == "function" then
    return result("client:send", mtype, ask(self, message.type, message.payload, options))
  end
  options = arguments.send_options("client:send", options, 2)
  local ns = options.namespace ~= "/" and options.namespace or nil
  if hooks.sending then
    return result("client:send", mtype, hooks.send(self, mtype, payload, ns, nil, options.volatile))
  end
  return result("client:send", mtype, send(self._ref, mtype, payload, ns, nil, options.volatile))
end

function Socket:_ask(mtype, payload, callback, timeout)
  return ask(self, mtype, payload, callback, timeout)
end

-- Sends and waits for the ack: the response, or nil and the error.
function Socket:request(mtype, payload, timeout)
  if timeout ~= nil then
    arguments.milliseconds("client:request", timeout, 2)
  end
  return ack.wait("client:request", mtype, function(callback)
    return self:_ask(mtype, payload, callback, timeout)
  end)
end

-- Sends bytes as one WebSocket message, as they are; text where the second argument is true.
function Socket:sendRaw(bytes, text)
  if type(bytes) ~= "string" then
    error(("client:sendRaw takes a string of bytes, not a %s"):format(type(bytes)), 2)
  end
  return result("client:sendRaw", "bytes", core.send_raw(self._ref, bytes, text))
end

-- Answers a message by its __ackId.
function Socket:sendAck(id, response)
  arguments.ack_id("client:sendAck", id, 2)
  return result("client:sendAck", "__pp_ack", send_control(self._ref, "__pp_ack", ack.payload(id, nil, response)))
end

local Timed = {}
Timed.__index = Timed

function Timed:emit(mtype, payload, callback)
  return result("client:timeout(ms):emit", mtype, self.socket:_ask(mtype, payload, callback, self.timeout))
end

function Timed:request(mtype, payload)
  return self.socket:request(mtype, payload, self.timeout)
end

-- client:timeout(ms):emit(type, payload, callback): the time that the ack may take.
function Socket:timeout(ms)
  arguments.milliseconds("client:timeout", ms, 2)
  return setmetatable({ socket = self, timeout = ms }, Timed)
end

-- --- the rest ---

-- client:join(room) and client:leave(room), or an array of them.
Socket.join = room.join
Socket.leave = room.leave

-- client:to(room):emit(type, payload): who is in the room, without this client.
function Socket:to(names)
  return (target.to(self.broadcast, "client:to", names, 2))
end

function Socket:in_(names)
  return (target.to(self.broadcast, "client:in_", names, 2))
end

function Socket:except(names)
  return (target.except(self.broadcast, "client:except", names, 2))
end

-- Closes the connection behind what was sent. The code is 1000, or 3000 to 4999.
function Socket:close(code, reason)
  code, reason = arguments.closing("client:close", code, reason, 2)
  core.close_client(self._ref, code, reason, "forced server disconnect")
end

-- Marks the client: server:getClientsByTag(name, value) finds it. The value is true where none is given.
function Socket:setTag(name, value)
  arguments.name("client:setTag", "the name of a tag", name, 2)
  local tags = self._tags or {}
  if value == nil then
    value = true
  end
  if tags[name] == nil then
    local count = 0
    for _ in next, tags do
      count = count + 1
    end
    if count >= self.server.options.maxTags then
      error(("a client has at most %d tags (maxTags)"):format(self.server.options.maxTags), 2)
    end
  end
  tags[name] = value
  self._tags = tags
  return self
end

function Socket:getTag(name)
  arguments.name("client:getTag", "the name of a tag", name, 2)
  return self._tags and self._tags[name]
end

function Socket:hasTag(name)
  arguments.name("client:hasTag", "the name of a tag", name, 2)
  return self._tags ~= nil and self._tags[name] ~= nil
end

function Socket:removeTag(name)
  arguments.name("client:removeTag", "the name of a tag", name, 2)
  if self._tags and self._tags[name] ~= nil then
    self._tags[name] = nil
  end
  return self
end

function Socket:getAllTags()
  local tags = {}
  for name, value in next, self._tags or EMPTY do
    tags[name] = value
  end
  return tags
end

-- Bytes that wait to be written to this client.
function Socket:bufferedAmount()
  return core.queued(self._ref)
end

api.class("client:timeout(ms)", Timed, Timed)
api.class("client", Socket, metatable, nil, { emit = true, send = true })

return _M
