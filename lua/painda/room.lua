-- Rooms, as a client sees them: joining, leaving, and who is told of it. The rooms themselves are C's (runtime/hub).
--
-- A space is a namespace, as far as rooms go: { key = "/x\0", … }. It is nil for the default one. The functions here
-- serve every socket that has `_ref`, `server`, and in a namespace `_space`.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local hooks = require "painda.hooks"
local reload = require "painda.reload"

local type, error, ipairs, next, find = type, error, ipairs, next, string.find
local room_fault = core.room_fault

local _M = {}

-- What is wrong with a name, or nil. A server has its options once its application is loaded, and may be asked before.
local function fault(server, name)
  local longest = (server.options or reload.registrations(server).options).maxRoomName
  local text = room_fault(name, longest)
  if text then
    local bound = #name > longest and (" (maxRoomName: %d bytes)"):format(longest) or ""
    return ("the name of a room %s%s"):format(text, bound)
  end
end

-- The names given, one or an array of them, as an array. Raises where it is something else.
function _M.names(what, given, level)
  local kind = type(given)
  if kind == "string" then
    return { given }
  end
  if kind ~= "table" or #given == 0 and next(given) ~= nil then
    local what_it_is = kind == "table" and "a table of something else" or "a " .. kind
    error(("%s takes the name of a room, or an array of names, not %s"):format(what, what_it_is), level + 1)
  end
  for i, name in ipairs(given) do
    if type(name) ~= "string" then
      error(("%s takes names of rooms, and item %d is a %s"):format(what, i, type(name)), level + 1)
    end
  end
  return given
end

-- The keys of the names, behind those of `keys`, as a new array. Raises where a name can't be one.
function _M.keys(server, space, names, keys, level)
  local out, n = {}, 0
  if keys then
    for i, key in ipairs(keys) do
      out[i] = key
    end
    n = #keys
  end
  for i, name in ipairs(names) do
    local wrong = fault(server, name)
    if wrong then
      Error.raise(wrong, "ROOM_ERROR", level + 1)
    end
    out[n + i] = space and space.key .. name or name
  end
  return out
end

local HOOKS = { roomJoin = "onRoomJoin", roomLeave = "onRoomLeave" }

-- Tells the plugins, and the listeners of a namespace or of the server, that the socket joined or left a room.
function _M.tell(socket, event, name)
  if socket.server._registered.hooks then
    runtime.spawn(hooks.run, socket.server, HOOKS[event], socket, name)
  end
  local events = (socket._space or socket.server)._registered.events
  if events[event] == nil then
    return
  end
  local list = {}
  for i = 1, emitter.collect(events, event, list, 0) do
    runtime.spawn(list[i], socket, name)
  end
end

-- Joins one room or several: all, or where that can't be, none. true; or nil, a text, and the code: "ROOM_ERROR" for a
-- name that can't be one or a room too many, "closed" where the client is gone.
function _M.join(socket, given)
  local names = _M.names("client:join", given, 2)
  local server, space, joined = socket.server, socket._space, {}
  if space and socket.closed and not socket._in then -- it has left the namespace
    return nil, "closed", "closed"
  end
  for _, name in ipairs(names) do
    local wrong = fault(server, name)
    if wrong then
      return nil, wrong, "ROOM_ERROR"
    end
  end
  local most = server.options.maxRoomsPerClient
  for i, name in ipairs(names) do
    local key = space and space.key .. name or name
    local fresh, text, code = core.join(socket._ref, key, most)
    if fresh == nil then
      for j = 1, i - 1 do
        if joined[j] then
          core.leave(socket._ref, joined[j])
        end
      end
      text = code == "ROOM_ERROR" and ("a client is in at most %d rooms (maxRoomsPerClient)"):format(most) or text
      return nil, text, code
    end
    joined[i] = fresh and key
  end
  for i, name in ipairs(names) do
    if joined[i] then
      _M.tell(socket, "roomJoin", name)
    end
  end
  return true
end

-- Leaves one room or several. true where it was in any of them.
function _M.leave(socket, given)
  local names = _M.names("client:leave", given, 2)
  local space, any = socket._space, false
  for _, name in ipairs(names) do
    if core.leave(socket._ref, space and space.key .. name or name) then
      any = true
      _M.tell(socket, "roomLeave", name)
    end
  end
  return any
end

-- The names of the rooms that the socket is in, as a new array in no order.
function _M.rooms(socket)
  return core.rooms(socket._ref, socket._space and socket._space.key)
end

-- Of these keys the names of the rooms of a space.
function _M.within(space, keys)
  local names, prefix = {}, space and space.key
  for _, key in ipairs(keys) do
    if not prefix then
      names[#names + 1] = not find(key, "\0", 1, true) and key or nil
    elseif #key > #prefix and key:sub(1, #prefix) == prefix then
      names[#names + 1] = key:sub(#prefix + 1)
    end
  end
  return names
end

-- A client of the default namespace is gone, and has left the rooms of these keys. Its handlers still read them.
function _M.gone(socket, keys)
  local names = _M.within(nil, keys)
  socket.rooms = names
  for _, name in ipairs(names) do
    _M.tell(socket, "roomLeave", name)
  end
end

return _M
