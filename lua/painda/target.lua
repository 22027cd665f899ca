-- Whom a message goes to: everybody, or who is in one of some rooms, but for who is in some others. A target is never
-- changed: each step makes a new one, so it can be kept and used again.
--
--   server:to({ "red", "blue" }):except("muted"):emit("move", { x = 1 })
--   client:to("red"):volatile():emit("move", { x = 1 })          without the client itself
--
-- target.new(server, space, socket): everybody of the server but `socket` (may be nil). `space` is nil for the default
-- namespace; for another it is the table of that namespace, with
--   key          "/x\0": the room of all who are in it (runtime/hub/room.h)
--   name         "/x": goes into the envelope
--   socket_of    function(client): the namespace's socket of a client; what fetchSockets lists

local core = require "painda.core.server"
local api = require "painda.api"
local arguments = require "painda.arguments"
local delta = require "painda.core.delta"
local hooks = require "painda.hooks"
local room = require "painda.room"

local setmetatable, type, error, ipairs = setmetatable, type, error, ipairs
local broadcast, refuse, getmetatable = core.broadcast, api.refuse, getmetatable

local Target = {}
Target.__index = Target
Target.__name = "painda.Target"

local _M = { Target = Target }

function _M.new(server, space, socket)
  return setmetatable({
    _server = server,
    _space = space or false,
    _ns = space and space.name or false,
    _ref = socket and socket._ref or false, -- left out
    _rooms = false, -- array of keys; false: everybody
    _without = false, -- array of keys, or false
    _volatile = false,
  }, Target)
end

local function copy(self, rooms, without, is_volatile)
  return setmetatable({
    _server = self._server,
    _space = self._space,
    _ns = self._ns,
    _ref = self._ref,
    _rooms = rooms,
    _without = without,
    _volatile = is_volatile,
  }, Target)
end

-- The same, where `level` says whose line a wrong name is reported at (2: the caller's).
function _M.to(self, what, names, level)
  names = room.names(what, names, level + 1)
  return copy(self, room.keys(self._server, self._space, names, self._rooms, level + 1), self._without, self._volatile)
end

function _M.except(self, what, names, level)
  names = room.names(what, names, level + 1)
  local without = room.keys(self._server, self._space, names, self._without, level + 1)
  return copy(self, self._rooms, without, self._volatile)
end

-- Only who is in this room, or one of these, or of those named before.
function Target:to(names)
  return (_M.to(self, "to", names, 2))
end

function Target:in_(names)
  return (_M.to(self, "in_", names, 2))
end

-- Not who is in this room, or one of these. A client's id stands for the client.
function Target:except(names)
  return (_M.except(self, "except", names, 2))
end

-- What is sent is left out for clients that are behind.
function Target:volatile()
  return copy(self, self._rooms, self._without, true)
end

-- The rooms as C takes them: those of the target, or all of the namespace's, or nil.
local function rooms_of(self)
  return self._rooms or self._space and { self._space.key } or nil
end

-- Its callers end in a tail call, so that what is refused is raised at the line of theirs.
local function send(self, what, mtype, payload)
  local server, ns, is_volatile, ref = self._server, self._ns or nil, self._volatile, self._ref or nil
  local rooms, without = rooms_of(self), self._without or nil
  local sent, text, code
  if hooks.sending then
    sent, text, code = hooks.broadcast(server, mtype, payload, ns, nil, is_volatile, ref, rooms, without)
  else
    sent, text, code = broadcast(server._core, mtype, payload, ns, nil, is_volatile, ref, rooms, without)
  end
  if not sent then
    arguments.refused(what, mtype, text, code, 2)
  end
  return sent
end

-- Sends a message. Returns to how many.
function Target:emit(mtype, payload)
  if getmetatable(self) ~= Target then
    refuse("to(room)", "emit", self, 2)
  end
  return send(self, "emit", mtype, payload)
end

-- Sends {type = …, payload = …}, or a message as it was received. Returns to how many.
function Target:send(message)
  if getmetatable(self) ~= Target then
    refuse("to(room)", "send", self, 2)
  end
  local mtype, payload = arguments.message("send", message, 2)
  return send(self, "send", mtype, payload)
end

-- Sends what makes `after` out of `before`, as painda.gaming.diff gives it; nothing where they are equal. Returns to
-- how many.
function Target:emitDelta(mtype, before, after)
  if after == nil then
    error("emitDelta takes a message type, the state before and the state after (painda.null for none)", 2)
  end
  local changed, wrong = delta.diff(before, after)
  if wrong then
    error("emitDelta: " .. wrong, 2)
  end
  if changed == nil then
    return 0
  end
  return send(self, "emitDelta", mtype, changed)
end

-- The clients of the target. With `away` also those that have lost their connection and may come back: they are still
-- in their rooms.
local function sockets_of(self, away)
  local socket_of, out = self._space and self._space.socket_of, {}
  local ref, without = self._ref or nil, self._without or nil
  for _, client in ipairs(core.members(self._server._core, ref, rooms_of(self), without, away)) do
    if type(client) == "table" then -- else its object is not made yet
      local socket = socket_of and socket_of(client) or client
      if away or not (client._pending or socket._waiting) then -- else it is back, and being asked about again
        out[#out + 1] = socket
      end
    end
  end
  return out
end

-- The clients themselves that are connected, as an array in no order.
function Target:fetchSockets()
  return sockets_of(self, false)
end

-- Makes each of them join a room, or several. Returns how many are in all of these now.
function Target:socketsJoin(names)
  names = room.names("socketsJoin", names, 2)
  local joined = 0
  for _, socket in ipairs(sockets_of(self, true)) do
    joined = joined + (room.join(socket, names) and 1 or 0)
  end
  return joined
end

-- Makes each of them leave a room, or several. Returns how many were in one.
function Target:socketsLeave(names)
  names = room.names("socketsLeave", names, 2)
  local left = 0
  for _, socket in ipairs(sockets_of(self, true)) do
    left = left + (room.leave(socket, names) and 1 or 0)
  end
  return left
end

-- Closes them, as client:close does, which ends the session of those that might come back. Returns how many.
function Target:disconnectSockets(code, reason)
  code, reason = arguments.closing("disconnectSockets", code, reason, 2)
  local sockets = sockets_of(self, true)
  for _, socket in ipairs(sockets) do
    socket:close(code, reason)
  end
  return #sockets
end

api.class("to(room)", Target, Target, nil, { emit = true, send = true })

return _M
