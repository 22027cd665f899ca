-- The typed rooms of a server, by id.
--
-- A room outlives generations. What a generation says of it is in the registrations of the server:
--
--   registrations.typed[id] = { room, events, options, asked, initial, next }
--
-- options: nil until the generation asks for the room, which `asked` says too; initial: the state that it asked for
-- while it was loaded; next: the state that the room is given in its place.
--
-- A room that the new code does not ask for while it is loaded stays, with members, state and options, but without
-- handlers: it may be one that is made when somebody asks for it.

local core = require "painda.core.server"
local Error = require "painda.error"
local reload = require "painda.reload"
local migration = require "painda.typed_room.migration"
local room_options = require "painda.typed_room.options"
local typed_room = require "painda.typed_room"

local type, next, ipairs, sort = type, next, ipairs, table.sort
local byte, sub = string.byte, string.sub

local _M = {}

-- --- registrations ---

-- What the running code's generation says of the room.
local function entry_of(room)
  local registrations = reload.registrations(room.server)
  local typed = registrations.typed or {}
  registrations.typed = typed
  local entry = typed[room.id]
  if not entry or entry.room ~= room then
    entry = { room = room, events = {} }
    typed[room.id] = entry
    if registrations == room.server._registered then
      room._events = entry.events
    end
  end
  return entry
end

function typed_room.listeners(room)
  return entry_of(room).events
end

local function serve(server, room)
  if server._typed[room.id] ~= room then
    server._typed[room.id] = room
    server._typed_count = server._typed_count + 1
  end
  typed_room.serve(room)
end

-- The room was disposed.
function typed_room.removed(room)
  local server = room.server
  for _, registrations in ipairs { server._registered or {}, reload.registrations(server) or {} } do
    if registrations.typed and registrations.typed[room.id] and registrations.typed[room.id].room == room then
      registrations.typed[room.id] = nil
    end
  end
  if server._typed[room.id] == room then
    server._typed[room.id] = nil
    server._typed_count = server._typed_count - 1
  end
end

-- All of a generation is loaded. Raises where it asks for a room with a state that this room can't be given.
function _M.prepare(_, registrations)
  for _, entry in next, registrations.typed or {} do
    if entry.initial ~= nil and not entry.room.disposed then
      entry.next = migration.check(entry.room, entry.initial, entry.options, 0)
    end
  end
end

-- A generation's registrations of the server are in force.
function _M.apply(server)
  local typed = server._registered.typed or {}
  for id, room in next, server._typed do
    if not typed[id] then
      typed_room.apply(room, nil, {})
    end
  end
  for _, entry in next, typed do
    typed_room.apply(entry.room, entry.options, entry.events)
    if entry.next then
      typed_room.replace(entry.room, entry.next, 1)
    end
    entry.initial, entry.next = nil, nil
    serve(server, entry.room)
  end
end

-- --- making and finding ---

local function find(server, id)
  local registrations = reload.registrations(server)
  local entry = registrations and registrations.typed and registrations.typed[id]
  return entry and not entry.room.disposed and entry.room or server._typed[id]
end

local function make(server, id, initial, checked, level)
  local most = (server.options or reload.registrations(server).options).maxTypedRooms
  if server._typed_count >= most then
    Error.raise(("server:room: there are %d rooms already (maxTypedRooms)"):format(most), "ROOM_ERROR", level + 1)
  end
  return (typed_room.new(server, id, initial, checked, level + 1)) -- no tail call: the level counts this function
end

-- The generation asks for a room that is there, for the first time: its state has to be of the kind asked for.
local function ask_for_state(entry, initial, options, level)
  entry.asked = true
  if reload.is_loading() then
    entry.initial = initial
    return
  end
  local state = migration.check(entry.room, initial, options, level + 1)
  if state then
    typed_room.replace(entry.room, state, level + 1)
  end
end

-- The room of that id, made where there is none. `given` are its options: what is left out has its default, where the
-- generation asks for the room for the first time or gives options.
function _M.room(server, id, initial, given, level)
  local longest = (server.options or reload.registrations(server).options).maxRoomName
  local fault = type(id) ~= "string" and "is a string, not a " .. type(id) or core.room_fault(id, longest)
  if fault then
    Error.raise("server:room: the id of a room " .. fault, "ROOM_ERROR", level + 1)
  end
  local room = find(server, id)
  local checked = (given ~= nil or not room or reload.is_loading()) and room_options.check(given, level + 1)
  if reload.is_retired() then -- code that was replaced makes rooms, which are state, but has no say in them
    if not room then
      room = make(server, id, initial, checked, level + 1)
      typed_room.apply(room, checked, {})
      serve(server, room)
    end
    return room
  end
  local is_new = not room
  room = room or make(server, id, initial, checked, level + 1)
  local entry = entry_of(room)
  if is_new then
    entry.asked = true
  elseif initial ~= nil and not entry.asked then
    ask_for_state(entry, initial, checked or entry.options or room._options, level + 1)
  end
  if checked and (given ~= nil or not entry.options) then
    entry.options = checked
  end
  if not reload.is_loading() then
    typed_room.apply(room, entry.options, entry.events)
    serve(server, room)
  end
  return room
end

-- The room of that id, or nil.
function _M.get(server, id)
  return find(server, id)
end

-- Disposes the room of that id: false where there is none.
function _M.delete(server, id)
  local room = find(server, id)
  return room ~= nil and room:dispose()
end

-- The ids, in alphabetical order.
function _M.ids(server)
  local ids = {}
  for id in next, server._typed do
    ids[#ids + 1] = id
  end
  sort(ids)
  return ids
end

-- --- the life of clients ---

local function each_of(client, fn, ...)
  local server = client.server
  for _, id in ipairs(core.rooms(client._ref, "\0")) do
    local room = server._typed[id]
    if room then
      fn(room, client, ...)
    end
  end
end

-- Middleware let the client in, for the first time or again.
function _M.arrived(client)
  if client.server._typed_count > 0 then
    each_of(client, typed_room.arrived)
  end
end

-- The client has lost its connection, and may come back.
function _M.away(client)
  if client.server._typed_count > 0 then
    each_of(client, typed_room.away)
  end
end

-- The client is gone, and has left the rooms of these keys.
function _M.gone(client, keys, reason)
  for i = 1, #keys do
    local key = keys[i]
    local room = byte(key) == 0 and client.server._typed[sub(key, 2)]
    if room then
      typed_room.gone(room, client, reason)
    end
  end
end

-- __pp_room_resync {room, reason}: the client asks for the whole state. False where it can't.
function _M.resync(client, payload)
  local room = type(payload) == "table" and type(payload.room) == "string" and client.server._typed[payload.room]
  if not room or not typed_room.resync(room, client) then
    return false
  end
  local server = client.server
  server._room_resyncs = server._room_resyncs + 1
  if payload.reason == "desync" then
    server._room_desyncs = server._room_desyncs + 1
  end
  return true
end

-- The server is closed.
function _M.close(server)
  for _, id in ipairs(_M.ids(server)) do
    server._typed[id]:dispose()
  end
end

return _M
