-- From the runtime's events to the application's handlers. The functions here are what C calls, each on a task of its
-- own.
--
-- A message passes, in this order: onMessage of the plugins, the message middleware of the server, then that of its
-- namespace, which its client joins with the first one. It goes to: onAny of the server and of the client, "message" of
-- the client, its type on the client, its type on the server. Each handler but the last has its own task, so none waits
-- for another or falls with it.

local core = require "painda.core.server"
local Error = require "painda.error"
local faults = require "painda.faults"
local handlers = require "painda.handlers"
local hooks = require "painda.hooks"
local life = require "painda.life"
local middleware = require "painda.middleware"
local namespaces = require "painda.namespace"
local sockets = require "painda.socket"
local typed_rooms = require "painda.typed_room.rooms"

local type, debug, setmetatable = type, debug, setmetatable
local ack_for, no_ack, gather, run = handlers.ack_for, handlers.no_ack, handlers.gather, handlers.run
local EVENTS, listeners = sockets.EVENTS, sockets.listeners

local _M = {}

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

-- The general case: any number of handlers of every kind. `own` has the client's.
local function dispatch_all(client, mtype, ack_id, payload, message, registered, own)
  local list, kinds, n = {}, {}, 0
  if registered.any then
    n = gather(list, kinds, n, registered.any, "*", "server_any")
  end
  if own._any then
    n = gather(list, kinds, n, own._any, "*", "any")
  end
  n = gather(list, kinds, n, own._events, "message", "message")
  if not EVENTS[mtype] then
    n = gather(list, kinds, n, own._on, mtype, "type")
  end
  n = gather(list, kinds, n, registered.types, mtype, "server")
  if n == 0 then
    return
  end
  handlers.as_begun(list, n, registered.generation)
  message = message or core.message()
  if payload ~= nil then
    message.payload = payload
  else
    payload = message.payload
  end
  local answer = ack_for(client, ack_id)
  for i = 1, n - 1 do
    run(client, mtype, ack_id, list[i], arguments[kinds[i]](client, mtype, payload, answer, message))
  end
  list[n](arguments[kinds[n]](client, mtype, payload, answer, message))
end

-- --- before the handlers ---

-- A message is dropped: its client is told why.
local function refuse(client, ack_id, err, ns)
  namespaces.tell(client, err, ns)
  faults.reject(client, ack_id, err)
end

-- What has passed the middleware of the server. The handlers are those of the generation that it began with.
local function admit(client, ack_id, ns, message, registered)
  if client.closed then
    return
  end
  if ns then
    namespaces.receive(client, ns, message.type, ack_id, message, registered)
    return
  end
  local own = listeners(client, registered)
  sockets.tidy(client)
  dispatch_all(client, message.type, ack_id, nil, message, registered, own)
end

-- The way of a message where there is more on it than handlers.
local function guard(client, mtype, ack_id, ns, payload, message)
  local registered = client.server._registered
  if ns == "/" then
    ns = nil
  end
  if ns and not registered.namespaces[ns] then
    refuse(client, ack_id, namespaces.unknown(ns))
    return
  end
  message = message or core.message()
  if payload ~= nil then
    message.payload = payload
  end
  if registered.hooks and registered.hooks.onMessage then
    local too_many = middleware.too_many(client, message)
    if too_many then
      refuse(client, ack_id, too_many, ns)
      return
    end
    middleware.count(client, message, 1) -- the hooks may wait
    local admitted = hooks.admits(client.server, client, message, registered)
    middleware.count(client, message, -1)
    if not admitted then
      faults.reject(client, ack_id, Error.new("the message was dropped", "MIDDLEWARE_ERROR"))
      return
    end
  end
  if not registered.use_message then
    admit(client, ack_id, ns, message, registered)
    return
  end
  middleware.run(registered.use_message, client, message, ack_id, function(err)
    if err then
      refuse(client, ack_id, err, ns)
    else
      admit(client, ack_id, ns, message, registered)
    end
  end)
end

-- What waited for its client to be let into a namespace, and was asked about by code that was replaced meanwhile.
function namespaces.again(client, mtype, ack_id, ns, message)
  guard(client, mtype, ack_id, ns, nil, message)
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

-- `payload` and `message` are there where C guessed that they will be asked for, else nil; or `read`, which makes the
-- payload and must be called before anything else.
local function on_message(client, mtype, ack_id, ns, payload, message, read)
  if read then
    payload = read()
  end
  local registered = client.server._registered
  if ns or registered.gate then
    guard(client, mtype, ack_id, ns, payload, message)
    return
  end
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
  dispatch_all(client, mtype, ack_id, payload, message, registered, client)
end
faults.root(on_message)

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

function controls.__pp_room_resync(client, payload)
  if not typed_rooms.resync(client, payload) then
    core.forbidden(client.server._core)
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

local function on_limited(client, ns, limit, window)
  local on_limit = client.server.options.rateLimit.onLimit
  if on_limit then
    on_limit(client, { namespace = ns, limit = limit, window = window == 1000 and "second" or "minute" })
  end
end

_M.callbacks = {
  opened = life.opened,
  resumed = life.resumed,
  message = on_message,
  control = on_control,
  closed = life.closed,
  limited = on_limited,
}

return _M
