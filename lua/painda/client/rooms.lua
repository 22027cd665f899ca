-- The typed rooms that a client is in: their states as the server tells them, kept up to date from change to change. A
-- connection begins with none: whoever comes back is told the whole state again.
--
--   link.rooms[id] = { state, version, asked }     asked: the whole state is on its way; deltas mean nothing until then

local calls = require "painda.client.calls"
local core = require "painda.core.client"
local gaming = require "painda.gaming"

local type, next = type, next

local MOST = 1024 -- rooms of a connection whose state is kept

local _M = {}

local function count(rooms)
  local n = 0
  for _ in next, rooms do
    n = n + 1
  end
  return n
end

-- Takes __pp_room_state.
function _M.on_state(client, payload)
  if type(payload.room) ~= "string" or type(payload.version) ~= "number" then
    return
  end
  local link = client._link
  local rooms = link.rooms or {}
  link.rooms = rooms
  if rooms[payload.room] or count(rooms) < MOST then
    rooms[payload.room] = { state = payload.state, version = payload.version, asked = false }
  end
  calls.fire(client, "roomState", payload)
end

-- Asks for the whole state, once until it comes.
local function resync(client, id, known)
  if not known.asked then
    known.asked = true
    client.resyncs = client.resyncs + 1
    core.send(client._link.connection, "__pp_room_resync", { room = id })
  end
end

-- Takes __pp_room_delta. Listeners are given the state too, as a table that is not changed afterwards.
function _M.on_delta(client, payload)
  local rooms, id, version = client._link.rooms, payload.room, payload.version
  local known = rooms and rooms[id]
  if not known then -- the state was not told: syncOnJoin is off
    calls.fire(client, "roomDelta", payload)
    return
  end
  if known.asked or type(version) ~= "number" or version <= known.version then
    return
  end
  local state = version == known.version + 1 and gaming.patchImmutable(known.state, payload.delta)
  if not state then
    resync(client, id, known)
    return
  end
  known.state, known.version = state, version
  payload.state = state
  calls.fire(client, "roomDelta", payload)
end

return _M
