-- A typed room: a state that its members see. The application changes it through update and setState, or in tick
-- handlers; the members are told what changed, once a tick (typed_room/ticks.lua).
--
--   local arena = server:room("arena", { players = {} }, { maxClients = 20 })
--   arena:join(client)
--   arena:update(function(state) state.players[client.id] = { x = 0, y = 0 } end)
--
-- Its members are those of a room of the hub, by a key that is no name: "\0ID". Who is not to be told of changes, but
-- of the whole state as soon as that can be, is in the room "\0ID\0" too: it is slow, away, or has asked for it.
--
--   member = { at, here, not_before }     the how-many-eth to join, connected and let in, when it may have the whole

local core = require "painda.core.server"
local json = require "painda.core.json"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local arguments = require "painda.arguments"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local options = require "painda.options"
local reload = require "painda.reload"
local room = require "painda.room"
local room_state = require "painda.typed_room.state"
local target = require "painda.target"
local behind = require "painda.typed_room.behind"
local ticks = require "painda.typed_room.ticks"
local varint = require "painda.typed_room.varint"
local views = require "painda.typed_room.views"

local setmetatable, type, error, next, ipairs = setmetatable, type, error, next, ipairs
local xpcall, sort = xpcall, table.sort
local arm, touch, spawn, traceback = ticks.arm, room_state.touch, runtime.spawn, debug.traceback

local EVENTS = { "join", "leave", "tick" }

local Room = {}
Room.__index = Room
Room.__name = "painda.TypedRoom"

function Room:__tostring()
  return ("room %q"):format(self.id)
end

local _M = { Room = Room }

-- The client of an argument; a namespace's socket stands for it.
local function client_of(self, name, given)
  local client = type(given) == "table" and (given.client or given)
  if not client or client.server ~= self.server or client._ref == nil then
    local what = client and client._ref and "a client of another server" or "a " .. type(given)
    error(("room:%s takes a client of the room's server, not %s"):format(name, what), 3)
  end
  return client
end

-- --- handlers ---

local function fire(self, event, ...)
  local events = self._events
  if events[event] == nil then
    return
  end
  local list = {}
  for i = 1, emitter.collect(events, event, list, 0) do
    spawn(list[i], ...)
  end
end

-- --- members ---

local function set_here(member, self, here)
  if member.here ~= here then
    member.here = here
    self.clientCount = self.clientCount + (here and 1 or -1)
  end
end

-- The client is a member no more; the hub's rooms know already.
local function forget(self, client, reason)
  set_here(self._members[client], self, false)
  self._members[client] = nil
  self._seats = self._seats - 1
  room.tell(client, "roomLeave", self.id)
  fire(self, "leave", client, reason)
end

local function take_out(self, client, reason)
  views.forget(self, self._members[client])
  core.leave(client._ref, self._key)
  core.leave(client._ref, self._behind)
  forget(self, client, reason)
end

local function by_order(self)
  local list = {}
  for client in next, self._members do
    list[#list + 1] = client
  end
  sort(list, function(a, b)
    return self._members[a].at < self._members[b].at
  end)
  return list
end

local function is_full(self)
  return self._seats >= (self._options.maxClients or self._seats + 1)
end

-- Why the client can't join, or nil.
local function obstacle(self, client)
  if self.disposed then
    return "disposed"
  elseif client.closed then
    return "closed"
  elseif self.locked then
    return "locked"
  elseif is_full(self) and self._options.onFull == "reject" then
    return "full"
  end
end

-- nil where the application's auth lets the client in, else why not. It may wait.
local function ask(self, client, data)
  local ok, allowed, why = xpcall(self._options.auth, function(raised)
    return traceback(Error.report(raised), 2)
  end, client, data, self)
  if not ok then
    local trace = ("room %q: auth failed: %s"):format(self.id, allowed:gsub("\t", ""))
    ticks.report(self, trace, Error.new(("room %q: auth failed"):format(self.id), "HANDLER_ERROR"))
    return "refused"
  end
  if not allowed then
    return why == nil and "refused" or Error.from(why).message
  end
end

local function kick_oldest(self)
  local oldest
  for client, member in next, self._members do
    if not oldest or member.at < self._members[oldest].at then
      oldest = client
    end
  end
  core.send_error(oldest._ref, "ROOM_ERROR", ("you had to leave the room %q: it is full"):format(self.id))
  take_out(self, oldest, "kicked")
end

-- Tells a member that is here for the first time, or again, what it has to know. `whole`: the state too.
local function greet(self, client, member, whole)
  views.arrive(self, client, member, ticks.report)
  ticks.greet(self, { client._ref })
  if member.views then
    local tell = whole and views.send_whole or views.assume
    tell(self, client, member)
  elseif whole then
    ticks.send_whole(self, { client._ref })
  end
end

-- Gives the client a seat: nil, or why it can't have one.
local function seat(self, client)
  local most = self.server.options.maxRoomsPerClient
  local joined, _, code = core.join(client._ref, self._key, most)
  if joined == nil then
    return code == "closed" and code or ("a client is in at most %d rooms (maxRoomsPerClient)"):format(most)
  end
  if is_full(self) then
    kick_oldest(self) -- whose handlers may do anything
    if self._members[client] then
      return
    end
    local why = client.closed and "closed" or self.disposed and "disposed" or is_full(self) and "full"
    if why then
      core.leave(client._ref, self._key)
      return why
    end
  end
  if self._seats == 0 then
    ticks.refresh(self)
  end
  local member = { at = self._joins + 1, here = false, not_before = 0 }
  self._joins, self._seats = member.at, self._seats + 1
  self._members[client] = member
  views.begin(self, client, member, ticks.report)
  if client._pending then -- it is sent nothing until middleware lets it in
    behind.want_whole(self, client, member)
  else
    set_here(member, self, true)
    greet(self, client, member, self._options.syncOnJoin)
  end
  member.told = true
  room.tell(client, "roomJoin", self.id)
  fire(self, "join", client)
  arm(self)
end

-- Makes the client a member: it is sent the state, then what changes. True, also where it was one already; or false
-- and why not: "locked", "full", "closed" (the client is gone), "disposed", or what auth(client, data, room) says.
function Room:join(client, data)
  client = client_of(self, "join", client)
  if self._members[client] then
    return true
  end
  local why = obstacle(self, client)
  if not why and self._options.auth then
    why = ask(self, client, data)
    if not why and self._members[client] then
      return true
    end
    why = why or obstacle(self, client)
  end
  why = why or seat(self, client)
  if why then
    return false, why
  end
  return true
end

-- True where the client was a member.
function Room:leave(client)
  client = client_of(self, "leave", client)
  if not self._members[client] then
    return false
  end
  take_out(self, client, "leave")
  return true
end

-- Is it a member? One that has lost its connection is, while its session is kept.
function Room:has(client)
  client = client_of(self, "has", client)
  return self._members[client] ~= nil
end

-- The members that are connected, in the order of joining.
function Room:getClients()
  local out = {}
  for _, client in ipairs(by_order(self)) do
    if self._members[client].here then
      out[#out + 1] = client
    end
  end
  return out
end

-- Nobody can join from here on; who is in it stays.
function Room:lock()
  self.locked = true
  return self
end

function Room:unlock()
  self.locked = false
  return self
end

-- --- the state ---

-- Calls fn(state), which changes the state; the members are told at the next tick. Without fn: it was changed
-- elsewhere.
function Room:update(fn)
  if fn ~= nil and type(fn) ~= "function" then
    error(("room:update takes a function that changes the state, not a %s"):format(type(fn)), 2)
  end
  if self.disposed then
    return nil, "disposed"
  end
  touch(self)
  if fn then
    fn(self._state)
    touch(self) -- a tick may have passed while it waited
  end
  return self
end

-- Another table is the state from here on. A declared state stays, and gets the table's values.
function Room:setState(state)
  if self.disposed then
    return nil, "disposed"
  end
  room_state.set(self, state, 2)
  touch(self)
  return self
end

-- The state itself. Where it is changed, room:update() says so.
function Room:getState()
  return self._state
end

-- --- the rest ---

-- Sends a message to the members but `except`, a client or its id. Returns to how many.
function Room:broadcast(message, except)
  arguments.message("room:broadcast", message, 2)
  local members = target.new(self.server, nil, arguments.left_out("room:broadcast", self.server, except, 2))
  members._rooms = { self._key }
  return (members:send(message))
end

-- Which part of the state a client sees from now on: a function(id, entity, map) that says whether, of maps that the
-- room's option `entities` names; a table (docs/api/typed-rooms.md, "Views"); or nil: all of it. Before it joins, it is
-- for when it does.
function Room:setView(client, view)
  client = client_of(self, "setView", client)
  if self.disposed then
    return nil, "disposed"
  end
  views.set(self, client, view, ticks.report, 2)
  touch(self)
  return self
end

-- The view that a client was given, as it was given; nil where it has none.
function Room:getView(client)
  return views.get(self, client_of(self, "getView", client))
end

-- What the room did, in numbers.
function Room:getStats()
  local out = { members = self._seats, version = self._version, viewers = views.count(self) }
  for name, count in next, self._stats do
    out[name] = count
  end
  return out
end

-- Listens to "join", fn(client), "leave", fn(client, reason), or "tick", fn(state, elapsed, room): at each tick, before
-- the members are told; it may change the state, and returns false where it has not.
function Room:on(name, fn)
  options.check_event("room:on", name, EVENTS)
  emitter.check("room:on", name, fn)
  emitter.add(_M.listeners(self), name, fn)
  arm(self)
  return self
end

-- Stops listening: one function, or every listener of that name.
function Room:off(name, fn)
  options.check_event("room:off", name, EVENTS)
  emitter.remove(_M.listeners(self), name, fn)
  return self
end

-- Ends the room: its members leave, its ticks end, its id is free. False where that was so already.
function Room:dispose()
  if self.disposed then
    return false
  end
  self.disposed, self._served = true, false
  ticks.disarm(self)
  for _, client in ipairs(by_order(self)) do
    take_out(self, client, "disposed")
  end
  room_state.disown(self)
  ticks.forget_messages(self)
  _M.removed(self)
  return true
end

-- --- for painda.typed_room.rooms ---

-- The client is back, or let in: it is told the whole state.
function _M.arrived(self, client)
  local member = self._members[client]
  if member then
    behind.is_even(self, client, member)
    set_here(member, self, true)
    greet(self, client, member, self._options.syncOnJoin or client.recovered)
  end
end

-- The client has lost its connection, and may come back.
function _M.away(self, client)
  local member = self._members[client]
  if member then
    set_here(member, self, false)
    behind.want_whole(self, client, member)
  end
end

-- The client is gone, and with it its places in the hub.
function _M.gone(self, client, reason)
  if self._members[client] then
    views.forget(self, self._members[client])
    forget(self, client, reason)
  end
end

-- A member wants the whole state. False where it is no member.
function _M.resync(self, client)
  local member = self._members[client]
  if not member then
    return false
  end
  behind.want_whole(self, client, member)
  self._stats.resyncs = self._stats.resyncs + 1
  self._lagging = true
  arm(self)
  return true
end

-- The options and listeners of a generation are in force.
function _M.apply(self, checked, events)
  local before = self._options
  self._options, self._events = checked or before, events
  self.metadata = self._options.metadata or self.metadata or {}
  if before.tickRate ~= self._options.tickRate then
    ticks.restart(self)
  end
  views.apply(self, before, ticks.report)
end

-- Another state takes the place of the room's: a table, a declared state or a schema. Its members are told all of it.
-- Raises where it can't be one; then the room's is what it was.
function _M.replace(self, initial, level)
  room_state.begin(self, initial, level + 1)
  ticks.forget_messages(self)
  behind.forget(self)
  views.restart(self, ticks.report)
  local refs = {}
  for client, member in next, self._members do
    if member.here then
      refs[#refs + 1] = client._ref
      member.not_before = 0
      behind.want_whole(self, client, member)
    end
  end
  ticks.greet(self, refs)
  self._dirty, self._lagging = false, refs[1] ~= nil
  arm(self)
end

-- It serves: from here on it ticks.
function _M.serve(self)
  self._served = true
  arm(self)
end

local numbers = 0

-- A room with a state, `initial`: a table, a declared state, a schema, or a function that makes one of them. Raises
-- where that can't be one.
function _M.new(server, id, initial, checked, level)
  numbers = numbers + 1
  local self = setmetatable({
    server = server,
    id = id,
    locked = false,
    clientCount = 0, -- members that are connected
    disposed = false,
    metadata = checked.metadata or {},
    _key = "\0" .. id,
    _behind = "\0" .. id .. "\0",
    _name = json.encode(id),
    _number = numbers,
    _number_bytes = varint(numbers),
    _loader = reload.generation().id,
    _members = {},
    _seats = 0, -- how many they are
    _joins = 0, -- ever
    _options = checked,
    _events = {},
    _told = nil, -- what its members know
    _version = 0,
    _whole = false, -- the message with the state, while it is of this version
    _snapshot = false, -- the same as a frame
    _greeting = false, -- the frame with what the state is made of
    _dirty = false, -- it may have changed since it was last told
    _views = nil, -- typed_room/views.lua
    _kept = {}, -- what members that are behind saw last, by version
    _snapshots = {}, -- the same of a declared state
    _stats = {
      deltas = 0,
      fellBehind = 0,
      catchUps = 0,
      catchUpDeltas = 0,
      resyncs = 0,
      errors = 0,
      viewDeltas = 0,
      viewEncodes = 0,
      viewBytes = 0,
    },
    _lagging = false, -- some of those that are behind are here
    _served = false,
    _armed = false,
    _handlers = 0, -- tick handlers that have not ended
    _slot = 0,
  }, Room)
  room_state.begin(self, initial, level + 1)
  return self
end

api.class("room", Room, Room)

return _M
