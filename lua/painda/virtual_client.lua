-- painda.PPVirtualClient: a client within this process. It has no socket, and is otherwise a client like any other:
-- what it sends passes the server's limits, middleware and handlers.
--
--   local bot = painda.PPVirtualClient("bot-1")
--   bot:on("state", function(state) bot:emit("move", choose(state)) end)
--   bot:connect(server)

local ack = require "painda.ack"
local api = require "painda.api"
local arguments = require "painda.arguments"
local calls = require "painda.client.calls"
local core = require "painda.core.client"
local inbox = require "painda.client.inbox"
local options = require "painda.options"
local Error = require "painda.error"
local reload = require "painda.reload"
local rooms = require "painda.client.rooms"
local scope = require "painda.client.scope"

local shown = options.shown
local setmetatable, rawset, type, error, tostring, pairs = setmetatable, rawset, type, error, tostring, pairs
local concat = table.concat
local fire = calls.fire
local EMPTY = scope.EMPTY

local MAX_ID = 36 -- bytes: as long as the ids that servers give

local OPTIONS = {
  token = { type = "string" },
  path = { type = "string", default = "/" },
  query = { type = "table" },
  headers = { type = "table" },
  ackTimeout = { type = "integer", min = 1, max = 86400000, default = 10000 },
  maxPendingAcks = { type = "integer", min = 1, max = 1000000, default = 1024 },
  stateFrames = { type = "boolean", default = true },
}

local function check(given, level)
  local checked = options.check("PPVirtualClient", OPTIONS, given, level + 1)
  checked.offlineQueue = 0 -- what is sent while there is no connection is refused
  return checked
end

local DEFAULTS = check({}, 1)

-- --- the class ---

-- What most clients never change or need is not in their own tables: there may be ten thousand of them.
local Client = setmetatable({
  __name = "painda.PPVirtualClient",
  state = "closed",
  options = DEFAULTS,
  dropped = 0,
  desyncs = 0,
  resyncs = 0,
  _on = EMPTY,
  _events = EMPTY,
  _any = EMPTY,
  _namespaces = EMPTY,
  _offset = 0,
  _ready = false,
}, { __index = scope.Scope })

-- What is made for a client when it is first used.
local lazy = {
  _acks = function(self)
    return ack.pending(self.options.maxPendingAcks)
  end,
  _asked = function()
    return {} -- ids of the acks that were asked for
  end,
  url = function(self) -- what logs call it
    return "virtual:" .. self.id
  end,
}

local metatable = { __name = "painda.PPVirtualClient" }

function metatable:__index(name)
  local make = lazy[name]
  if not make then
    return Client[name]
  end
  local value = make(self)
  rawset(self, name, value)
  return value
end

function metatable:__tostring()
  return ("virtual client %s (%s)"):format(self.id, self.state)
end

-- --- its connection ---

local function set_state(self, state)
  local old = self.state
  self.state = state
  fire(self, "stateChange", state, old)
end

-- No connection any more: what was asked on it will not be answered.
local function finish(self)
  self._link = nil
  self._ready = false
  reload.forget(self)
  set_state(self, "closed")
  self._acks:fail("the client is closed", "CONNECTION_ERROR")
end

local function on_open(link)
  local self = link.client
  if self then
    link.open = true
    set_state(self, "connected")
    fire(self, "open")
    fire(self, "connect")
  end
end

local function on_closed(link, code, text, by_server)
  local self = link.client
  link.client = nil
  if not self then
    return
  end
  finish(self)
  if not link.open then
    return fire(self, "error", Error.new(("%s: %s"):format(self.url, text), "CONNECTION_ERROR"))
  end
  local reason = code == 1001 and "server shutdown" or code == 4008 and "too slow"
  reason = reason or by_server and code ~= 1006 and "forced server disconnect" or "transport close"
  fire(self, "disconnect", reason, code, text)
  fire(self, "close", code, text)
end

local handlers = {
  open = on_open,
  message = inbox.on_message,
  frame = inbox.on_frame,
  fault = inbox.on_fault,
  closed = on_closed,
}
handlers.__index = handlers

-- "a=1&b=2" of { a = 1, b = 2 }, and the capability where it is offered.
local function query_of(fields, offers_state)
  local parts = { offers_state and "pp_caps=state" or nil }
  for name, value in pairs(fields or EMPTY) do
    local text = (name .. "=" .. tostring(value)):gsub("[^%w=._~-]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
    parts[#parts + 1] = text
  end
  return concat(parts, "&")
end

local function header_lines(fields)
  local lines = {}
  for name, value in pairs(fields or EMPTY) do
    lines[#lines + 1] = ("%s: %s\n"):format(name:lower(), (tostring(value):gsub("[\r\n]", " ")))
  end
  return concat(lines)
end

local function start(self)
  local given, server = self.options, self.server
  local link = { client = self, open = false }
  link.connection = core.connect_virtual({
    server = server._core,
    id = self.id,
    path = given.path,
    query = query_of(given.query, given.stateFrames and not (given.query and given.query.pp_caps)),
    headers = header_lines(given.headers),
    registry = server.options and server.options.registry, -- none where the server never served
  }, setmetatable({ object = link }, handlers))
  self._link = link
  if given.token then
    core.send(link.connection, "__pp_auth", { token = given.token })
  end
  self._ready = true -- what is sent from here on waits for the session to be made, in order
end

local function stop(self, code, reason)
  local link = self._link
  if self.state == "closed" then
    return
  end
  if link then
    link.client = nil
    core.close(link.connection, code, reason)
  end
  finish(self)
  if link and link.open then
    fire(self, "disconnect", "client disconnect", code, reason)
    fire(self, "close", code, reason)
  end
end

-- A client belongs to the generation that connects it: it begins when that serves, and ends with it.
local connecting -- the client that own() is about
local function drop(self)
  stop(self, 1001, "application reloaded")
end
local owned = {
  make = function()
    return connecting
  end,
  fresh = function()
    return EMPTY
  end,
  apply = function() end,
  begin = start, -- the server may not have been applied before
  drop = drop,
  undo = drop,
}

-- --- for applications ---

-- Connects to a PPServer of this process, in the next turn. A client that was closed may connect again. Returns the
-- client.
function Client:connect(server)
  if type(server) ~= "table" or not server._core then
    error(("client:connect takes a PPServer of this process, not %s"):format(shown(server)), 2)
  end
  if self.state ~= "closed" then
    error(("client:connect: %s is connected already"):format(self.id), 2)
  end
  self.server = server
  self.state = "connecting"
  connecting = self
  reload.object(self, owned)
  return self
end

-- The handle of a namespace, always the same: once it is asked for, the namespace's messages are told to it alone.
function Client:of(name)
  return scope.namespace(self, name)
end

function Client:isConnected()
  return self.state == "connected"
end

-- The state of a typed room as it was told last, and its version; nil where this client knows none.
function Client:roomState(id)
  return rooms.state(self, id)
end

-- Ends the connection, behind what was sent. The code is 1000, or 3000 to 4999.
function Client:close(code, reason)
  code, reason = arguments.closing("client:close", code, reason, 2)
  stop(self, code, reason)
end

api.class("client", Client, metatable, scope.Scope)

-- --- making one ---

local numbers = 0

local _M = { Client = Client }

-- painda.PPVirtualClient(id, { … }). Where no id is given, it is "virtual-1" and so on. It is what the server calls the
-- client too.
function _M.PPVirtualClient(id, given)
  if id == nil then
    numbers = numbers + 1
    id = "virtual-" .. numbers
  end
  if type(id) ~= "string" or id == "" or #id > MAX_ID or id:find "%c" then
    local text = "PPVirtualClient takes an id, a string of 1 to %d bytes without control characters, not %s"
    error(text:format(MAX_ID, type(id) == "string" and ("%q"):format(id:sub(1, 50)) or shown(id)), 2)
  end
  local self = setmetatable({ id = id }, metatable)
  self.client = self
  if given ~= nil then
    self.options = check(given, 2)
  end
  return self
end

-- Is it one?
function _M.is(object)
  return getmetatable(object) == metatable
end

return _M
