-- painda.PPClient: a WebSocket client in the runtime.
--
--   local client = painda.PPClient { url = "ws://localhost:3000" }
--   client:once("open", function() client:emit("greet", "Hello") end)
--   client:on("message", function(msg) print(msg.type, msg.payload) end)

local ack = require "painda.ack"
local calls = require "painda.client.calls"
local client_options = require "painda.client.options"
local core = require "painda.core.client"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local line = require "painda.client.line"
local outbox = require "painda.client.outbox"
local reload = require "painda.reload"

local setmetatable, type, error, tostring, pairs = setmetatable, type, error, tostring, pairs
local post, ask = outbox.post, outbox.ask
local EVENTS = calls.EVENTS

-- What a client and its namespaces have in common. `client` is whom a namespace belongs to, or the client itself.
local Scope = {}

-- --- listeners ---

local function table_for(self, name)
  return EVENTS[name] and (self.ns == nil or name == "message") and self._events or self._on
end

-- Listens to a message type, fn(payload, ack, msg), to "message", fn(msg, ack), or to an event of the client.
function Scope:on(name, fn)
  emitter.check("client:on", name, fn)
  emitter.add(table_for(self, name), name, fn)
  return self
end

-- The same, for the next time only.
function Scope:once(name, fn)
  emitter.check("client:once", name, fn)
  emitter.add(table_for(self, name), name, fn, true)
  return self
end

-- Stops listening: one function, or every listener of that name.
function Scope:off(name, fn)
  emitter.remove(table_for(self, name), name, fn)
  return self
end

-- Hears every message: fn(type, payload, ack).
function Scope:onAny(fn)
  emitter.check("client:onAny", "*", fn)
  emitter.add(self._any, "*", fn)
  return self
end

function Scope:offAny(fn)
  emitter.remove(self._any, "*", fn)
  return self
end

-- --- sending ---

local function check_type(what, mtype, level)
  if type(mtype) ~= "string" or mtype == "" then
    local text = "%s takes the type of a message, a string that is not empty, not %s"
    error(text:format(what, tostring(mtype)), level + 1)
  end
  if mtype:sub(1, 5) == "__pp_" then
    error(Error.new("types that begin with __pp_ belong to the protocol", "ENCODE_ERROR"), level + 1)
  end
end

local function check_callback(what, callback, level)
  if type(callback) ~= "function" then
    error(("%s takes a function to call with the ack, not a %s"):format(what, type(callback)), level + 1)
  end
end

-- Misuse raises at the application's line; a client that is closed is an answer.
local function result(sent, text, code)
  if sent then
    return true
  end
  if code == "ENCODE_ERROR" then
    error(Error.new(text, code), 3)
  end
  return nil, text
end

-- Sends a message, now or once connected; with a callback, asks for an ack: callback(err, response). true, or nil and
-- why it was not even queued.
function Scope:emit(mtype, payload, callback)
  check_type("client:emit", mtype, 2)
  if callback == nil then
    return result(post(self.client, mtype, payload, self.ns))
  end
  check_callback("client:emit", callback, 2)
  return result(ask(self.client, mtype, payload, self.ns, callback))
end

-- Sends {type = …, payload = …}; `with` is a callback for the ack, or {volatile = true, namespace = "/x"}.
function Scope:send(message, with)
  local kind = type(message)
  if kind ~= "table" and kind ~= "userdata" then
    error(("client:send takes a message {type = …, payload = …}, not a %s"):format(kind), 2)
  end
  local mtype, payload = message.type, message.payload
  check_type("client:send", mtype, 2)
  if type(with) == "function" then
    return result(ask(self.client, mtype, payload, self.ns, with))
  end
  if with ~= nil and type(with) ~= "table" then
    error(("client:send takes a function or {volatile, namespace} after the message, not a %s"):format(type(with)), 2)
  end
  with = with or {}
  local ns = with.namespace or self.ns
  return result(post(self.client, mtype, payload, ns ~= "/" and ns or nil, nil, with.volatile))
end

-- Sends and waits for the ack: the response, or nil and the error.
function Scope:request(mtype, payload, timeout)
  check_type("client:request", mtype, 2)
  return ack.wait(function(callback)
    return ask(self.client, mtype, payload, self.ns, callback, timeout)
  end)
end

-- Answers a message by its __ackId.
function Scope:sendAck(id, response)
  local link = self.client._link
  if not link or not link.open then
    return nil, "not connected"
  end
  return result(core.send(link.connection, "__pp_ack", ack.payload(id, nil, response)))
end

local Timed = {}
Timed.__index = Timed

function Timed:emit(mtype, payload, callback)
  check_type("client:emit", mtype, 2)
  check_callback("client:timeout(ms):emit", callback, 2)
  local scope = self.scope
  return result(ask(scope.client, mtype, payload, scope.ns, callback, self.ms))
end

function Timed:request(mtype, payload)
  return self.scope:request(mtype, payload, self.ms)
end

-- client:timeout(ms):emit(type, payload, callback): the time that the ack may take.
function Scope:timeout(ms)
  if type(ms) ~= "number" or not (ms > 0 and ms <= 1e12) then
    error(("client:timeout takes milliseconds above 0, not %s"):format(tostring(ms)), 2)
  end
  return setmetatable({ scope = self, ms = ms }, Timed)
end

-- --- namespaces ---

local Namespace = setmetatable({ __name = "painda.PPClient.Namespace" }, { __index = Scope })
Namespace.__index = Namespace

function Namespace:__tostring()
  return ("namespace %s of %s"):format(self.ns, self.client.url)
end

-- --- the client itself ---

local Client = setmetatable({ __name = "painda.PPClient" }, { __index = Scope })
Client.__index = Client

function Client:__tostring()
  return ("client of %s (%s)"):format(self.url, self.state)
end

-- The handle of a namespace, always the same: once it is asked for, the namespace's messages are told to it alone.
function Client:of(name)
  if type(name) ~= "string" or name:sub(1, 1) ~= "/" then
    error(("client:of takes the name of a namespace, such as \"/admin\", not %s"):format(tostring(name)), 2)
  end
  if name == "/" then
    return self
  end
  local handle = self._namespaces[name]
  if not handle then
    handle = setmetatable({ client = self, ns = name, _on = {}, _events = {}, _any = {} }, Namespace)
    self._namespaces[name] = handle
  end
  return handle
end

function Client:isConnected()
  return self.state == "connected"
end

-- Messages that wait for a connection.
function Client:queueSize()
  return outbox.size(self)
end

-- Bytes that wait to be written to the server.
function Client:bufferedAmount()
  return self._link and core.queued(self._link.connection) or 0
end

-- Ends the client for good: it does not reconnect, and open acks fail. The code is 1000, or 3000 to 4999.
function Client:close(code, reason)
  code = code or 1000
  if type(code) ~= "number" or not (code == 1000 or code >= 3000 and code <= 4999) then
    error(("client:close takes a code of 1000, or 3000 to 4999, not %s"):format(tostring(code)), 2)
  end
  line.close(self, code, tostring(reason or ""))
end

-- For the end of the process.
function Client:gracefulShutdown(timeout)
  line.close_and_wait(self, 1001, "client shutting down", timeout)
end

-- --- making one ---

local function arguments(first, second)
  if type(first) ~= "string" then
    return first
  end
  local given = { url = first }
  for name, value in pairs(type(second) == "table" and second or {}) do
    given[name] = value
  end
  return given
end

local _M = {}

-- A client belongs to the generation that made it: it connects when that serves, and ends with it.
local function owned(client)
  local function drop()
    line.close(client, 1001, "application reloaded")
  end
  return {
    make = function()
      return client
    end,
    fresh = function()
      return {}
    end,
    apply = line.start,
    drop = drop,
    undo = drop,
  }
end

-- painda.PPClient { url = …, … } or painda.PPClient(url, { … }). Connects at once; events come from the next turn on.
function _M.PPClient(first, second)
  local options = client_options.check(arguments(first, second), 2)
  local client = setmetatable({
    url = options.url,
    options = options,
    state = "connecting",
    dropped = 0, -- messages that were given up: the offline queue was full, or they were volatile
    ns = nil,
    _on = {}, -- message type → listener
    _events = {},
    _any = {},
    _namespaces = {},
    _acks = ack.pending(options.maxPendingAcks),
    _asked = {}, -- ids of the acks that were asked for on this connection
    _queue = {}, -- entries from _first to _last
    _first = 1,
    _last = 0,
    _attempts = 0,
    _round = 0, -- counts attempts, so that what belongs to an earlier one is known
    _offset = 0, -- the application's messages that came in this session
    _ready = false, -- connected, and the session restored
    _line = line,
    _backoff = {
      strategy = options.backoff,
      base = options.reconnectDelay,
      max = options.reconnectDelayMax,
      jitter = options.jitter,
    },
  }, Client)
  client.client = client
  client._timer = line.new_timer(client)
  return reload.object(client, owned(client))
end

return _M
