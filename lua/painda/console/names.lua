-- What the console calls things: clients(), rooms(), room(id), stats() …, over all servers of the process.

local painda = require "painda"
local reload = require "painda.reload"
local stats = require "painda.control.stats"
local socket = require "painda.socket"
local show = require "painda.console.show"
local typed_room = require "painda.typed_room"

local type, pairs, ipairs, error, tostring, setmetatable = type, pairs, ipairs, error, tostring, setmetatable
local concat, sort = table.concat, table.sort

local _M = {}
local names = { painda = painda }

local HELP = [[
clients()      who is connected       client("4f2a")  one of them, by the beginning of its id
rooms()        the rooms, by name     room("lobby")   one of them: .state .clients, and its methods
servers()      the servers            server          the first of them
stats()        what they count        app             what the application's files call global
painda         the API                _               the last result

Expressions are shown, statements are run; what is not finished goes on in the next line. A name that is assigned to is
the console's own. Local variables end with the line they stand in. Calls that wait (painda.sleep …) may be used.
]]

-- The servers, in the order of their ports.
local function servers()
  local list = {}
  for _, object in pairs(reload.objects) do
    if type(object) == "table" and type(object.getClients) == "function" then
      list[#list + 1] = object
    end
  end
  sort(list, function(a, b)
    return a.port < b.port
  end)
  return list
end

local function each_client(fn)
  for _, server in ipairs(servers()) do
    for _, client in ipairs(server:getClients()) do
      fn(client)
    end
  end
end

show.describe["painda.Client"] = function(client)
  local parts = { "client " .. client.id .. " from " .. tostring(client.handshake.address) }
  local joined = {}
  for i, name in ipairs(client.rooms) do
    joined[i] = name
  end
  sort(joined)
  if joined[1] then
    parts[#parts + 1] = "in " .. concat(joined, ", ", 1, #joined > 5 and 5 or #joined)
  end
  return concat(parts, " ")
end

names.servers, _M.servers = servers, servers

function names.clients()
  local list = {}
  each_client(function(client)
    list[#list + 1] = client
  end)
  return list
end

function names.client(id)
  if type(id) ~= "string" then
    error("client takes the beginning of a client's id, a string", 2)
  end
  local found
  each_client(function(client)
    if client.id == id or client.id:sub(1, #id) == id then
      if found then
        error(("several clients have an id that begins with %q"):format(id), 3)
      end
      found = client
    end
  end)
  return found
end

-- name → how many clients are in it, and whether it has a state.
function names.rooms()
  local all = {}
  each_client(function(client)
    for _, name in ipairs(client.rooms) do
      all[name] = all[name] or { clients = 0 }
      all[name].clients = all[name].clients + 1
    end
  end)
  for _, server in ipairs(servers()) do
    for _, id in ipairs(server:getRoomIds()) do
      all[id] = { clients = server:getRoom(id).clientCount, typed = true }
    end
  end
  return all
end

-- A typed room with its state as a field, or a plain room as a target of messages.
local View = { __name = "painda.console.Room" }

function View:__index(name)
  local target = self._target
  if name == "state" and target.getState then
    return target:getState()
  elseif name == "clients" then
    return target.getClients and target:getClients() or target:fetchSockets()
  end
  local value = target[name]
  if type(value) ~= "function" then
    return value
  end
  return function(this, ...)
    return value(rawequal(this, self) and target or this, ...)
  end
end

function names.room(id)
  if type(id) ~= "string" then
    error("room takes the name of a room, a string", 2)
  end
  for _, server in ipairs(servers()) do
    local room = server:getRoom(id)
    if room then
      return setmetatable({ id = id, _target = room }, View)
    end
  end
  for _, server in ipairs(servers()) do
    local target = server:to(id)
    if #target:fetchSockets() > 0 then
      return setmetatable({ id = id, _target = target }, View)
    end
  end
  return nil -- shown, where nothing would not be
end

show.describe["painda.console.Room"] = function(room)
  return ("room %q, clients: %d"):format(room.id, #room.clients)
end

names.stats = stats.gather

function names.help()
  return setmetatable({}, { __name = "painda.console.Help" })
end

show.text["painda.console.Help"] = function()
  return (HELP:gsub("\n$", ""))
end

-- Names that are looked up each time, since a reload may change them.
local moving = {
  server = function()
    return servers()[1]
  end,
  app = function()
    return reload.current.env
  end,
}

-- The global variables of one console: its own, the names above, the application's, Lua's.
function _M.environment(say)
  local env = {}
  local function print(...)
    local words = {}
    for i = 1, select("#", ...) do
      words[i] = tostring((select(i, ...)))
    end
    say(concat(words, "\t") .. "\n")
  end
  return setmetatable(env, {
    __index = function(_, name)
      if name == "print" then
        return print
      elseif moving[name] then
        return moving[name]()
      elseif names[name] ~= nil then
        return names[name]
      end
      return reload.current.env[name]
    end,
  })
end

-- What may be typed where a global name stands.
function _M.known()
  local known = {}
  for _, set in ipairs { names, moving, reload.current.env, _G, { print = true } } do
    for name in pairs(set) do
      known[name] = true
    end
  end
  return known
end

_M.rooms, _M.clients = names.rooms, names.clients
_M.methods = { ["painda.Client"] = socket.Socket, ["painda.TypedRoom"] = typed_room.Room }

return _M
