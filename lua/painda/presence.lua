-- server.presence: who is there, with data of the application's. What changes is sent to the tracked clients, gathered
-- to one message an interval.
--
-- A client's data becomes JSON when it is given, so bad data is refused where it comes from and changes nothing, and a
-- message is put together from the pieces. Of several changes of a client in an interval one is told: the last, seen
-- from what was sent before.
--
--   record = { id, client, json, value, joined, updated, known }     known: it has had a list
--   change = { kind, id, json }                                      since the last sync, by id

local core = require "painda.core.server"
local json = require "painda.core.json"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local emitter = require "painda.emitter"
local options = require "painda.options"
local reload = require "painda.reload"

local setmetatable, type, next, error, ipairs = setmetatable, type, next, error, ipairs
local concat, max, huge = table.concat, math.max, math.huge
local encode, decode, publish = json.encode, json.decode, core.publish
local now, wall, spawn = runtime.now, runtime.wall, runtime.spawn
local EVENTS = { "change", "join", "leave", "update" }

local Presence = {}
Presence.__index = Presence
Presence.__name = "painda.Presence"

local _M = {}

-- The part of a server's options.
_M.OPTIONS = {
  syncInterval = { type = "integer", min = 1, max = 86400000, default = 2000 },
  broadcastOnChange = { type = "boolean", default = true },
  syncMode = { values = { "full", "diff" }, default = "full" },
  maxMetadataSize = { type = "integer", min = 2, max = 1024 * 1024, default = 16384 },
  maxTracked = { type = "integer", min = 1, max = 1000000, default = 10000 },
}

-- --- arguments ---

-- The id of a client, or of a string that is one.
local function id_of(self, name, client)
  if type(client) == "string" then
    return client
  end
  local id = type(client) == "table" and client.id
  if type(id) ~= "string" then
    error(("presence:%s takes a client or its id, not a %s"):format(name, type(client)), 3)
  end
  if client.server ~= self.server then
    error(("presence:%s was given a client of another server"):format(name), 3)
  end
  return id
end

-- The data as JSON. It is encoded as deep in tables as it will be in the message, so that no peer refuses it for its
-- depth.
local function encoded(self, name, data)
  local text, wrong = encode { { { { data } } } }
  if not text then
    error(("presence:%s: %s"):format(name, (wrong:gsub("^payload%[1%]%[1%]%[1%]%[1%]", "data"))), 3)
  end
  text = text:sub(5, -5)
  local limit = self.server.options.presence.maxMetadataSize
  if #text > limit then
    local told = "presence:%s: the data is %d bytes as JSON, and maxMetadataSize is %d"
    error(told:format(name, #text, limit), 3)
  end
  return text
end

-- --- what applications are given ---

local function view(record)
  if record.value == nil then
    record.value = decode(record.json)
  end
  return { clientId = record.id, data = record.value, joinedAt = record.joined, updatedAt = record.updated }
end

local function tell(self, event, argument, client)
  local listeners = self.server._registered.presence
  if not listeners or listeners[event] == nil then
    return
  end
  local list = {}
  local n = emitter.collect(listeners, event, list, 0)
  argument = type(argument) == "function" and argument(self) or view(argument)
  for i = 1, n do
    spawn(list[i], argument, client)
  end
end

-- --- sending ---

-- The records in the order in which they came, without the holes of those that left.
local function ordered(self)
  local records, n = self._records, 0
  for i = 1, self._last do
    local record = records[i]
    if record then
      n = n + 1
      records[n], record.place = record, n
    end
  end
  for i = n + 1, self._last do
    records[i] = nil
  end
  self._last = n
  return records
end

local function list_json(records)
  local pieces = {}
  for i, record in ipairs(records) do
    local piece = record.piece
    if not piece then
      piece = ('{"clientId":"%s","data":%s,"joinedAt":%.0f,"updatedAt":%.0f}'):format(
        record.id, record.json, record.joined, record.updated)
      record.piece = piece
    end
    pieces[i] = piece
  end
  return '{"presences":[' .. concat(pieces, ",") .. "]}"
end

local function changes_json(self)
  local pieces = {}
  for _, id in ipairs(self._order) do
    local change = self._changes[id]
    if change then
      self._changes[id] = nil -- an id that changed back and again is in the order twice
      pieces[#pieces + 1] = ('{"type":"%s","clientId":"%s","data":%s}'):format(change.kind, id, change.json)
    end
  end
  return pieces[1] and '{"changes":[' .. concat(pieces, ",") .. "]}"
end

-- Sends what changed: the list to all, or to those who have had one what became different since.
local function synchronise(self, whole)
  local records = ordered(self)
  local list_to, diff_to = {}, {}
  for _, record in ipairs(records) do
    local to = (whole or not record.known) and list_to or diff_to
    to[#to + 1] = record.client._ref
    record.known = true
  end
  if list_to[1] then
    publish(self.server._core, "__pp_presence", list_json(records), list_to)
  end
  local changes = diff_to[1] and changes_json(self)
  if changes then
    publish(self.server._core, "__pp_presence_diff", changes, diff_to)
  end
  self._order, self._changes = {}, {}
  self._synced = now()
  tell(self, "change", self.list)
end

local function on_timer(self)
  self._armed = false
  if next(self._changes) ~= nil then
    synchronise(self, self.server.options.presence.syncMode == "full")
  end
end

-- Sees to it that a change is sent: at once where nothing was for an interval, else when it is over.
local function arm(self)
  if self._armed then
    return
  end
  local o = self.server.options.presence
  local wait = o.broadcastOnChange and max(0, self._synced + o.syncInterval - now()) or o.syncInterval
  self._timer = self._timer or runtime.timer(function()
    on_timer(self)
  end)
  self._timer:start(wait)
  self._armed = true
end

local function disarm(self)
  if self._armed then
    self._timer:stop()
    self._armed = false
  end
end

-- Notes a change, seen from what was sent last: who came and went since was never there.
local function note(self, kind, record)
  local id = record.id
  local before = self._changes[id]
  if before == nil then
    self._order[#self._order + 1] = id
  elseif before.kind == "join" then
    kind = kind ~= "leave" and "join" or nil
  elseif before.kind == "leave" then
    kind = "update"
  end
  self._changes[id] = kind and { kind = kind, json = record.json } or nil
  arm(self)
end

-- --- tracking ---

local function replace(self, record, text)
  if text == record.json then
    return
  end
  record.json, record.value, record.piece = text, nil, nil
  record.updated = wall()
  note(self, "update", record)
  tell(self, "update", record, record.client)
end

-- Makes the client one of those that are there, with its data; where it is one already, replaces the data. true, or nil
-- and why not: "closed", or that no more than maxTracked can be.
function Presence:track(client, data)
  local id = id_of(self, "track", client)
  local text = encoded(self, "track", data == nil and {} or data)
  local record = self._by_id[id]
  if record then
    replace(self, record, text)
    return true
  end
  client = type(client) == "table" and client or self.server:getClient(id)
  if not client or client.closed then
    return nil, "closed"
  end
  local most = self.server.options.presence.maxTracked
  if self._count >= most then
    return nil, ("%d clients are tracked already (maxTracked)"):format(most)
  end
  local time = wall()
  client = client.client or client -- a namespace's socket stands for its client
  record = { id = id, client = client, json = text, joined = time, updated = time, place = self._last + 1 }
  self._by_id[id] = record
  self._last = record.place
  self._records[record.place] = record
  self._count = self._count + 1
  note(self, "join", record)
  tell(self, "join", record, client)
  return true
end

-- Are these keys to be changed, and not another value in whole?
local function is_object(value)
  local key = type(value) == "table" and next(value)
  return type(key) == "string"
end

-- Changes the data of a tracked client: the given keys, where both are tables with keys; else all of it. true, or nil
-- and "not tracked".
function Presence:update(client, data)
  local id = id_of(self, "update", client)
  local record = self._by_id[id]
  if not record then
    return nil, "not tracked"
  end
  if is_object(data) and record.json:byte() == 123 then -- {
    local merged = decode(record.json)
    for key, value in next, data do
      merged[key] = value
    end
    data = merged
  end
  replace(self, record, encoded(self, "update", data == nil and {} or data))
  return true
end

-- The client is there no more. True where it was.
function Presence:untrack(client)
  local id = id_of(self, "untrack", client)
  local record = self._by_id[id]
  if not record then
    return false
  end
  self._by_id[id] = nil
  self._records[record.place] = false
  self._count = self._count - 1
  note(self, "leave", record)
  tell(self, "leave", record, record.client)
  if self._count == 0 then -- nobody is left to be told, but the application
    disarm(self)
    self._last, self._records, self._order, self._changes = 0, {}, {}, {}
    tell(self, "change", self.list)
  end
  return true
end

-- --- looking ---

-- { clientId, data, joinedAt, updatedAt } of a tracked client, or nil. Times are milliseconds since 1970.
function Presence:get(client)
  local record = self._by_id[id_of(self, "get", client)]
  return record and view(record)
end

-- All of them, in the order in which they came.
function Presence:list()
  local out = {}
  for i, record in ipairs(ordered(self)) do
    out[i] = view(record)
  end
  return out
end

function Presence:count()
  return self._count
end

-- Sends the whole list to all that are tracked, now.
function Presence:sync()
  disarm(self)
  if self._count > 0 then
    synchronise(self, true)
  end
  return self
end

-- --- listening ---

-- "join", "update", "leave": fn(presence, client), at once. "change": fn(presences), once for all that a sync tells.
function Presence:on(name, fn)
  options.check_event("presence:on", name, EVENTS)
  emitter.check("presence:on", name, fn)
  local registrations = reload.registering(self.server, 2)
  registrations.presence = registrations.presence or {}
  emitter.add(registrations.presence, name, fn)
  return self
end

-- Stops listening: one function, or every listener of that name.
function Presence:off(name, fn)
  options.check_event("presence:off", name, EVENTS)
  emitter.check_off("presence:off", name, fn)
  local listeners = reload.registrations(self.server).presence
  if listeners then
    emitter.remove(listeners, name, fn)
  end
  return self
end

-- fn(presences): the whole list, whenever it has changed, at most once an interval.
function Presence:onChange(fn)
  emitter.check_any("presence:onChange", fn)
  return self:on("change", fn)
end

api.class("server.presence", Presence, Presence)

-- --- for the server ---

-- Forgets a client that is gone.
function _M.gone(presence, client)
  if presence._by_id[client.id] then
    presence:untrack(client)
  end
end

function _M.new(server)
  return setmetatable({
    server = server,
    _by_id = {},
    _records = {}, -- up to _last, in the order of coming; false where one has left since
    _last = 0,
    _count = 0,
    _changes = {},
    _order = {}, -- ids in the order of their first change
    _synced = -huge,
    _armed = false,
  }, Presence)
end

return _M
