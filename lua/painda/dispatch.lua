-- From the runtime's events to the application's handlers. The functions here are what C calls, each on a task of its
-- own.
--
-- A message goes to, in this order: onAny of the server and of the client, "message" of the client, its type on the
-- client, its type on the server. Each handler but the last has its own task, so none waits for another or falls with
-- it.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local ack = require "painda.ack"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local log = require "painda.log"
local room = require "painda.room"
local sockets = require "painda.socket"

local type, debug, setmetatable, error = type, debug, setmetatable, error
local collect, spawn = emitter.collect, runtime.spawn
local send_control, send_error = core.send_control, core.send_error
local EVENTS, EMPTY = sockets.EVENTS, sockets.EMPTY

local _M = {}

-- --- acks ---

local function no_ack() end

-- What a handler is given to answer with. Only the first answer counts.
local function ack_for(client, id)
  if not id then
    return no_ack
  end
  local answered = false
  return function(err, response)
    if answered then
      return
    end
    answered = true
    local ok, text, code = send_control(client._ref, "__pp_ack", ack.payload(id, err, response))
    if not ok and code == "ENCODE_ERROR" then
      send_control(client._ref, "__pp_ack", ack.payload(id, Error.new(text, code)))
      error(Error.new(text, code), 2)
    end
  end
end

-- --- calling several handlers ---

-- What a handler of each kind is given.
local arguments = {
  server_any = function(client, mtype, payload, answer)
    return client, mtype, payload, answer
  end,
  any = function(_, mtype, payload, answer)
    return mtype, payload, answer
  end,
  message = function(_, _, _, _, message)
    return message
  end,
  type = function(_, _, payload, answer, message)
    return payload, answer, message
  end,
  server = function(client, _, payload, answer, message)
    return client, payload, answer, message
  end,
}

-- The outermost function of a handler's task. Its first arguments are read by on_error, so it must not end in a tail
-- call.
local function run_handler(client, mtype, ack_id, fn, ...) -- luacheck: no unused args
  fn(...)
end

local function gather(list, kinds, n, listeners, name, kind)
  local last = collect(listeners, name, list, n)
  for i = n + 1, last do
    kinds[i] = kind
  end
  return last
end

-- The general case: any number of handlers of every kind.
local function dispatch_all(client, mtype, ack_id, payload, message)
  local registered = client.server._registered
  local list, kinds, n = {}, {}, 0
  if registered.any then
    n = gather(list, kinds, n, registered.any, "*", "server_any")
  end
  if client._any then
    n = gather(list, kinds, n, client._any, "*", "any")
  end
  n = gather(list, kinds, n, client._events, "message", "message")
  if not EVENTS[mtype] then
    n = gather(list, kinds, n, client._on, mtype, "type")
  end
  n = gather(list, kinds, n, registered.types, mtype, "server")
  if n == 0 then
    return
  end
  message = message or core.message()
  if payload ~= nil then
    message.payload = payload
  else
    payload = message.payload
  end
  local answer = ack_for(client, ack_id)
  for i = 1, n - 1 do
    spawn(run_handler, client, mtype, ack_id, list[i], arguments[kinds[i]](client, mtype, payload, answer, message))
  end
  list[n](arguments[kinds[n]](client, mtype, payload, answer, message))
end

-- --- what C calls ---

-- Does a handler of a message type look at its third argument? Most don't, and are spared the message object.
local wants_message = setmetatable({}, {
  __mode = "k",
  __index = function(self, fn)
    local info = debug.getinfo(fn, "u")
    local wants = info.nparams > 2 or info.isvararg
    self[fn] = wants
    return wants
  end,
})

-- `payload` and `message` are there where C guessed that they will be asked for, else nil. Like run_handler it is found
-- by on_error, and must not end in a tail call.
local function on_message(client, mtype, ack_id, ns, payload, message)
  if ns and ns ~= "/" then
    send_error(client._ref, "NAMESPACE_ERROR", ("unknown namespace %s"):format(ns))
    return
  end
  local registered = client.server._registered
  local events, own = client._events, client._on[mtype]
  -- The usual case has one handler for one kind of event, and needs neither lists nor, for "message", the payload.
  if not client._any and not registered.any and registered.types[mtype] == nil then
    if own == nil then
      local handler = events.message
      if handler == nil then
        return
      end
      if type(handler) == "function" then
        message = message or core.message()
        if payload ~= nil then
          message.payload = payload
        end
        handler(message)
        return
      end
    elseif type(own) == "function" and events.message == nil and not EVENTS[mtype] then
      if payload == nil then
        payload = core.payload()
      end
      if not ack_id and not wants_message[own] then
        own(payload, no_ack)
        return
      end
      own(payload, ack_for(client, ack_id), message or core.message())
      return
    end
  end
  dispatch_all(client, mtype, ack_id, payload, message)
end

-- The protocol's own messages.
local controls = {}

function controls.__pp_ack(client, payload)
  if client._acks then
    client._acks:on_ack(payload)
  end
end

function controls.__pp_auth(client, payload)
  if type(payload) == "table" and type(payload.token) == "string" then
    local _ = client.handshake.headers -- reads it, so that the token below is not overwritten
    client.handshake.token = payload.token
  end
end

local function on_control(client, mtype, _, _, payload)
  local control = controls[mtype]
  if control then
    if payload == nil then
      payload = core.payload()
    end
    control(client, payload)
  else
    core.forbidden(client.server._core)
  end
end

local function run_each(listeners, name, ...)
  local list = {}
  local n = collect(listeners, name, list, 0)
  for i = 1, n - 1 do
    spawn(list[i], ...)
  end
  if n > 0 then
    return list[n](...)
  end
end

local function on_opened(server, ref, id, address)
  local client = sockets.new(server, ref, id, address)
  core.attach(ref, client)
  local handler = server._registered.events.connection
  if type(handler) == "function" then
    return handler(client)
  end
  return run_each(server._registered.events, "connection", client)
end

local function on_closed(client, reason, code, room_keys)
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
  local heartbeat = server.options.heartbeat
  if reason == "Ping timeout" and heartbeat and heartbeat.onTimeout then
    spawn(heartbeat.onTimeout, client)
  end
  spawn(run_each, client._events, "disconnect", reason, code)
  spawn(run_each, server._registered.events, "disconnection", client, reason, code)
  client._on, client._events, client._any = EMPTY, EMPTY, nil
  server:_client_gone(client)
end

local function on_limited(client)
  local limit = client.server.options.rateLimit
  local on_limit = type(limit) == "table" and limit.onLimit
  if on_limit then
    return on_limit(client)
  end
end

_M.callbacks = {
  opened = on_opened,
  message = on_message,
  control = on_control,
  closed = on_closed,
  limited = on_limited,
}

-- Runs the connection handlers again for a client that was open before a reload.
function _M.reopened(client)
  client._on, client._events, client._any = EMPTY, EMPTY, nil
  client.reloaded = true
  spawn(run_each, client.server._registered.events, "connection", client)
end

-- Gives an event of the server to its listeners.
function _M.fire(server, name, ...)
  spawn(run_each, server._registered.events, name, ...)
end

-- --- errors ---

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

-- The client, message type and ack id of a failed task, found in the arguments of the function it began with.
local function origin_of(thread)
  local level = outermost(thread)
  local info = debug.getinfo(thread, level, "f")
  if not info or (info.func ~= on_message and info.func ~= run_handler) then
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
local function for_client(raised, err)
  if type(raised) ~= "string" then
    return err
  end
  return Error.new((raised:gsub("^[^:\n]+:%d+: ", "")), err.code)
end

local function on_error(thread, raised, what)
  local err = Error.from(raised, "HANDLER_ERROR")
  local text = err.message
  local client, mtype, ack_id = origin_of(thread)
  local trace = debug.traceback(thread, ("%s handler failed: %s"):format(what, text)):gsub("\t", "")
  log.error(trace, {
    type = mtype,
    client = client and client.id,
    generation = runtime.committed,
  })
  if not client then
    return
  end
  if ack_id and not send_control(client._ref, "__pp_ack", ack.payload(ack_id, for_client(raised, err))) then
    local unsayable = Error.new("the handler failed with an error that is not UTF-8 text", "HANDLER_ERROR")
    send_control(client._ref, "__pp_ack", ack.payload(ack_id, unsayable))
  end
  spawn(run_each, client._events, "error", err, mtype)
  run_each(client.server._registered.events, "error", err, client, mtype)
end

runtime.set_error_handler(on_error)

return _M
