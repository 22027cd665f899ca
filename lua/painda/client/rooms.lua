-- The typed rooms that a client is in: their states as the server tells them, kept up to date from change to change. A
-- connection begins with none: whoever comes back is told the whole state again. What comes as JSON is read here, what
-- comes as frames in room_frames.lua.
--
--   link.rooms[id] = { state, version, asked, at }     asked: the whole state is on its way; deltas mean nothing until
--       then. at: when it was made, counted

local calls = require "painda.client.calls"
local core = require "painda.core.client"
local gaming = require "painda.gaming"

local type, next = type, next

local MOST = 1024 -- rooms of a connection whose state is kept

local _M = {}

-- Forgets the room that has been known for longest, where they are too many.
local function make_place(rooms)
  local n, oldest = 0, nil
  for id, known in next, rooms do
    n = n + 1
    if not oldest or known.at < rooms[oldest].at then
      oldest = id
    end
  end
  if n >= MOST then
    local known = rooms[oldest]
    rooms[oldest] = nil
    return known
  end
end

-- What is known of the room from here on. Returns what is not any more, since there are too many.
function _M.remember(link, id, known)
  local rooms, forgotten = link.rooms or {}, nil
  link.rooms = rooms
  if not rooms[id] then
    forgotten = make_place(rooms)
  end
  link.rooms_met = (link.rooms_met or 0) + 1
  known.at = link.rooms_met
  rooms[id] = known
  return forgotten
end

-- Asks for the whole state, once until it comes: for "gap" (a delta is missing), "delta" (it does not fit) or "desync"
-- (the state is not the server's).
function _M.resync(client, id, known, reason)
  if not known.asked then
    known.asked = true
    client.resyncs = client.resyncs + 1
    client.desyncs = client.desyncs + (reason == "desync" and 1 or 0)
    core.send(client._link.connection, "__pp_room_resync", { room = id, reason = reason })
  end
end

-- Takes __pp_room_state.
function _M.on_state(client, payload)
  if type(payload.room) ~= "string" or type(payload.version) ~= "number" then
    return
  end
  _M.remember(client._link, payload.room, { state = payload.state, version = payload.version, asked = false })
  calls.fire(client, "roomState", payload)
end

-- Takes __pp_room_delta. Listeners are given the state too, as a table that is not changed afterwards.
function _M.on_delta(client, payload)
  local rooms, id, version = client._link.rooms, payload.room, payload.version
  local known = rooms and rooms[id]
  if not known then -- the state was not told: syncOnJoin is off
    calls.fire(client, "roomDelta", payload)
    return
  end
  if known.asked or type(version) ~= "number" then
    return
  end
  local from = payload.from or version - 1
  if from ~= known.version and version <= known.version then
    return
  end
  if from ~= known.version then
    return _M.resync(client, id, known, "gap")
  end
  local state = gaming.patchImmutable(known.state, payload.delta)
  if not state then
    return _M.resync(client, id, known, "delta")
  end
  known.state, known.version = state, version
  payload.state = state
  calls.fire(client, "roomDelta", payload)
end

-- The state of a room as it was told last, and its version; nil where the client knows none.
function _M.state(client, id)
  local known = client._link and client._link.rooms and client._link.rooms[id]
  if known and known.version then
    return known.state, known.version
  end
end

return _M
