-- Typed rooms whose state is declared, as frames tell them to a client that has offered the capability `state`:
-- docs/protocol.md, "Rooms in frames".
--
--   link.numbers[number] = what rooms.lua keeps of the room, and: { id, number, schema }     version: nil until the
--       state is told. `state` is one object for as long as the room is made of the same

local calls = require "painda.client.calls"
local declared = require "painda.declared"
local Error = require "painda.error"
local json = require "painda.core.json"
local rooms = require "painda.client.rooms"

local setmetatable, rawset, byte, sub = setmetatable, rawset, string.byte, string.sub

local _M = {}

-- The unsigned LEB128 at `at`, and where it ends; nil where there is none.
local function varint(bytes, at)
  local value, scale = 0, 1
  for i = at, at + 7 do
    local digit = byte(bytes, i)
    if not digit then
      return
    end
    value = value + digit % 128 * scale
    if digit < 128 then
      return value, i + 1
    end
    scale = scale * 128
  end
end

local function complain(client, text, code)
  calls.fire(client, "error", Error.new(text, code))
end

-- --- the three frames ---

local function forget(link, known)
  if known and known.number then
    link.numbers[known.number] = nil
  end
end

-- What the state of a room is made of: it was joined, or is made of something else now.
local function on_schema(client, number, bytes, at)
  local link = client._link
  local len, begin = varint(bytes, at)
  if not len or begin + len > #bytes + 1 then
    return complain(client, "the frame of a room's schema is malformed", "DECODE_ERROR")
  end
  local id = sub(bytes, begin, begin + len - 1)
  local schema, wrong, code = declared.decodeSchema(sub(bytes, begin + len))
  local before = link.numbers[number]
  forget(link, before)
  if not schema then
    return complain(client, ("room %q: %s"):format(id, wrong), code)
  end
  local same = before and before.schema == schema
  local known = { id = id, number = number, schema = schema, state = same and before.state or schema:new() }
  forget(link, rooms.remember(link, id, known))
  link.numbers[number] = known
end

local function on_state(client, known, bytes, at)
  local ok = known.schema:load(known.state, sub(bytes, at))
  if not ok then
    known.asked = false -- the answer is none: it is asked for again
    return rooms.resync(client, known.id, known, "delta")
  end
  known.asked, known.version = false, known.schema:version(known.state)
  local link = client._link
  if link.rooms[known.id] ~= known then -- it came as JSON meanwhile
    forget(link, rooms.remember(link, known.id, known))
  end
  calls.fire(client, "roomState", { room = known.id, state = known.state, full = true, version = known.version })
end

-- What listeners are given. The delta is read when it is looked at.
local function told(known, change)
  local payload = { room = known.id, state = known.state, version = known.version }
  return setmetatable(payload, {
    __index = function(self, name)
      if name == "delta" then
        local delta = json.decode(change)
        rawset(self, "delta", delta)
        return delta
      end
    end,
  })
end

local REASONS = { DELTA_GAP = "gap", DECODE_ERROR = "delta", STATE_DESYNC = "desync" }

local function take_delta(client, known, bytes, at, versions)
  if known.asked then
    return
  elseif not known.version then -- the state was not told: syncOnJoin is off
    return rooms.resync(client, known.id, known, "gap")
  end
  local is_heard = client._events.roomDelta ~= nil
  local ok, change, code = declared.apply(known.state, sub(bytes, at), is_heard, versions)
  if not ok then
    return rooms.resync(client, known.id, known, REASONS[code])
  end
  known.version = known.schema:version(known.state)
  if is_heard then
    calls.fire(client, "roomDelta", told(known, change))
  end
end

local function on_delta(client, known, bytes, at)
  take_delta(client, known, bytes, at, 1)
end

-- Of a member that sees a part of the state.
local function on_view(client, known, bytes, at)
  local versions, begin = varint(bytes, at)
  if not versions or versions >= 2 ^ 32 then
    return rooms.resync(client, known.id, known, "delta")
  end
  take_delta(client, known, bytes, begin, versions)
end

local FRAMES = { [0xFF01] = on_state, [0xFF02] = on_delta, [0xFF03] = on_view }

-- Takes a frame of the protocol's. One of another kind, or of a room that is not known, says nothing.
function _M.on_frame(client, type_id, bytes)
  local number, at = varint(bytes, 1)
  local link = client._link
  link.numbers = link.numbers or {}
  if number and type_id == 0xFF00 then
    return on_schema(client, number, bytes, at)
  end
  local known, take = link.numbers[number], FRAMES[type_id]
  if known and take then
    take(client, known, bytes, at)
  end
end

return _M
