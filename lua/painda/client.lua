-- painda.PPClient: a WebSocket client in the runtime.
--
--   local client = painda.PPClient { url = "ws://localhost:3000" }
--   client:once("open", function() client:emit("greet", "Hello") end)
--   client:on("message", function(msg) print(msg.type, msg.payload) end)

local ack = require "painda.ack"
local api = require "painda.api"
local arguments = require "painda.arguments"
local client_options = require "painda.client.options"
local core = require "painda.core.client"
local line = require "painda.client.line"
local outbox = require "painda.client.outbox"
local reload = require "painda.reload"
local rooms = require "painda.client.rooms"
local scope = require "painda.client.scope"
local shown = require("painda.options").shown

local setmetatable, type, error, pairs = setmetatable, type, error, pairs
local EMPTY = scope.EMPTY

local Client = setmetatable({ __name = "painda.PPClient" }, { __index = scope.Scope })
Client.__index = Client

function Client:__tostring()
  return ("client of %s (%s)"):format(self.url, self.state)
end

-- The handle of a namespace, always the same: once it is asked for, the namespace's messages are told to it alone.
function Client:of(name)
  local handle = scope.namespace(self, name) -- no tail call: misuse is reported at the caller's line
  return handle
end

function Client:isConnected()
  return self.state == "connected"
end

-- Messages that wait for a connection.
function Client:queueSize()
  return outbox.size(self)
end

-- The state of a typed room as it was told last, and its version; nil where this client knows none.
function Client:roomState(id)
  return rooms.state(self, id)
end

-- Bytes that wait to be written to the server.
function Client:bufferedAmount()
  return self._link and core.queued(self._link.connection) or 0
end

-- Ends the client for good: it does not reconnect, and open acks fail. The code is 1000, or 3000 to 4999.
function Client:close(code, reason)
  code, reason = arguments.closing("client:close", code, reason, 2)
  line.close(self, code, reason)
end

-- For the end of the process.
function Client:gracefulShutdown(timeout)
  line.close_and_wait(self, 1001, "client shutting down", timeout)
end

api.class("client", Client, Client, scope.Scope)

-- --- making one ---

local function given_options(first, second)
  if type(first) ~= "string" then
    return first
  end
  if second ~= nil and type(second) ~= "table" then
    error(("PPClient takes a table of options after the address, not %s"):format(shown(second)), 3)
  end
  local given = { url = first }
  for name, value in pairs(second or {}) do
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
  local options = client_options.check(given_options(first, second), 2)
  local client = setmetatable({
    url = options.url,
    options = options,
    state = "connecting",
    dropped = 0, -- messages that were given up: the offline queue was full, or they were volatile
    desyncs = 0, -- of these, since the state was not the server's
    resyncs = 0, -- times that the state of a typed room was asked for, since a delta was missed
    ns = nil,
    _on = EMPTY, -- message type → listener
    _events = EMPTY,
    _any = EMPTY,
    _namespaces = EMPTY,
    _acks = ack.pending(options.maxPendingAcks),
    _asked = {}, -- ids of the acks that were asked for on this connection
    _queue = {}, -- entries from _first to _last
    _first = 1,
    _last = 0,
    _attempts = 0,
    _round = 0, -- counts attempts, so that what belongs to an earlier one is known
    _offset = 0, -- the application's messages that came in this session
    _ready = false, -- connected, and the session restored
    _greeting = false, -- connected for the first time, and `connect` not yet told: how many attempts it took
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
