-- What clients and their namespaces have in common: listening, sending, asking. `client` is whom a namespace belongs
-- to, or the client itself.

local ack = require "painda.ack"
local api = require "painda.api"
local arguments = require "painda.arguments"
local calls = require "painda.client.calls"
local core = require "painda.core.client"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local outbox = require "painda.client.outbox"
local slips = require "painda.slips"
local shown = require("painda.options").shown

local setmetatable, type, error, pairs = setmetatable, type, error, pairs
local post, ask = outbox.post, outbox.ask
local EVENTS = calls.EVENTS
local EVENT_NAMES = {}
for name in pairs(EVENTS) do
  EVENT_NAMES[#EVENT_NAMES + 1] = name
end

local Scope = {}
local EMPTY, writable = emitter.EMPTY, emitter.writable

-- --- listeners ---

local function field_for(self, name)
  return EVENTS[name] and (self.ns == nil or name == "message") and "_events" or "_on"
end

local function warn(what, name)
  if not EVENTS[name] then
    slips.warn("peer", what, name, EVENT_NAMES)
  end
end

-- Listens to a message type, fn(payload, ack, msg), to "message", fn(msg, ack), or to an event of the client.
function Scope:on(name, fn)
  emitter.check("client:on", name, fn)
  emitter.add(writable(self, field_for(self, name)), name, fn)
  warn("client:on", name)
  return self
end

-- The same, for the next time only.
function Scope:once(name, fn)
  emitter.check("client:once", name, fn)
  emitter.add(writable(self, field_for(self, name)), name, fn, true)
  warn("client:once", name)
  return self
end

-- Stops listening: one function, or every listener of that name.
function Scope:off(name, fn)
  emitter.check_off("client:off", name, fn)
  emitter.remove(writable(self, field_for(self, name)), name, fn)
  return self
end

-- Hears every message: fn(type, payload, ack).
function Scope:onAny(fn)
  emitter.check_any("client:onAny", fn)
  emitter.add(writable(self, "_any"), "*", fn)
  return self
end

function Scope:offAny(fn)
  emitter.check_off_any("client:offAny", fn)
  emitter.remove(writable(self, "_any"), "*", fn)
  return self
end

-- --- sending ---

local function check_type(what, mtype, level)
  if type(mtype) ~= "string" or mtype == "" then
    local text = "%s takes the type of a message, a string that is not empty, not %s"
    error(text:format(what, shown(mtype)), level + 1)
  end
  if mtype:sub(1, 5) == "__pp_" then
    Error.raise("types that begin with __pp_ belong to the protocol", "ENCODE_ERROR", level + 1)
  end
end

local function check_callback(what, callback, level)
  if type(callback) ~= "function" then
    error(("%s takes a function to call with the ack, not a %s"):format(what, type(callback)), level + 1)
  end
end

-- Misuse raises at the application's line, as those end in a tail call who ask
-- this; a client that is closed is an answer.
local function result(sent, text, code)
  if sent then
    return true
  end
  if code == "ENCODE_ERROR" then
    Error.raise(text, code, 2)
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
  arguments.message("client:send", message, 2)
  local mtype, payload = message.type, message.payload
  check_type("client:send", mtype, 2)
  if type(with) == "function" then
    return result(ask(self.client, mtype, payload, self.ns, with))
  end
  with = arguments.send_options("client:send", with, 2)
  local ns = with.namespace or self.ns
  return result(post(self.client, mtype, payload, ns ~= "/" and ns or nil, nil, with.volatile))
end

-- Sends and waits for the ack: the response, or nil and the error.
function Scope:request(mtype, payload, timeout)
  check_type("client:request", mtype, 2)
  if timeout ~= nil then
    arguments.milliseconds("client:request", timeout, 2)
  end
  return ack.wait("client:request", mtype, function(callback)
    return ask(self.client, mtype, payload, self.ns, callback, timeout)
  end)
end

-- Answers a message by its __ackId.
function Scope:sendAck(id, response)
  arguments.ack_id("client:sendAck", id, 2)
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
  arguments.milliseconds("client:timeout", ms, 2)
  return setmetatable({ scope = self, ms = ms }, Timed)
end

api.class("client:timeout(ms)", Timed, Timed)
api.class("client", Scope)

-- --- namespaces ---

local Namespace = setmetatable({ __name = "painda.PPClient.Namespace" }, { __index = Scope })
Namespace.__index = Namespace

function Namespace:__tostring()
  return ("namespace %s of %s"):format(self.ns, self.client.url)
end

api.serves(Scope, Namespace)

local _M = { Scope = Scope, EMPTY = EMPTY }

-- The handle of a client's namespace, always the same: once it is asked for, the namespace's messages are told to it
-- alone.
function _M.namespace(client, name)
  if type(name) ~= "string" or name:sub(1, 1) ~= "/" then
    error(("client:of takes the name of a namespace, such as \"/admin\", not %s"):format(shown(name)), 3)
  end
  if name == "/" then
    return client
  end
  local handles = writable(client, "_namespaces")
  local handle = handles[name]
  if not handle then
    handle = setmetatable({ client = client, ns = name, _on = EMPTY, _events = EMPTY, _any = EMPTY }, Namespace)
    handles[name] = handle
  end
  return handle
end

return _M
