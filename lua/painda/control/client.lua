-- A tool's end of the control socket: which server is meant, and asking it. Nothing here goes through the loop: a tool
-- has nothing else to do than to wait.

local core = require "painda.core.control"
local files = require "painda.core.files"
local json = require "painda.core.json"
local place = require "painda.control.place"

local ipairs, setmetatable, tostring, remove = ipairs, setmetatable, tostring, os.remove
local concat = table.concat

local PATIENCE = 5000 -- ms for what a server answers at once

local _M = { PATIENCE = PATIENCE }

local Line = {}
Line.__index = Line

local function dial(path)
  local line, err, nobody = core.dial(path)
  if not line then
    return nil, err, nobody
  end
  return setmetatable({ core = line, rest = "", last = 0 }, Line)
end

-- Sends a request and does not wait. Returns its id, or nil and a message.
function Line:send(command, request)
  self.last = self.last + 1
  request = request or {}
  request.id, request.command = self.last, command
  local ok, err = self.core:send(json.encode(request) .. "\n", PATIENCE)
  if not ok then
    self.ended = err ~= "interrupted" and err ~= "timeout"
    return nil, self.ended and "the server has ended" or err
  end
  return self.last
end

-- The next message of the server, or nil and "timeout", "interrupted" or what is wrong.
function Line:receive(timeout)
  while true do
    local text, rest = self.rest:match "^([^\n]*)\n(.*)$"
    if text then
      self.rest = rest
      return json.decode(text)
    end
    local bytes, err = self.core:receive(timeout)
    if bytes == "" then
      self.ended = true
      return nil, "the server has ended"
    elseif not bytes then
      return nil, err
    end
    self.rest = self.rest .. bytes
  end
end

-- The answer to request `id`: its result, or nil and a message, and the traceback where there is one. Text that comes
-- before goes to `say`. `timeout` is for each message; nil: no limit.
function Line:answer(id, say, timeout)
  while true do
    local message, err = self:receive(timeout)
    if not message then
      return nil, err == "timeout" and "the server does not answer: a handler may keep its loop busy" or err
    end
    if message.error and (message.id == id or message.id == nil) then
      return nil, message.error, message.traceback
    elseif message.id == id and message.text then
      if say then
        say(message.text)
      end
    elseif message.id == id then
      return message.result
    end
  end
end

-- line:request("stats", {…} [, say [, timeout]]) → as Line:answer
function Line:request(command, request, say, timeout)
  local id, err = self:send(command, request)
  if not id then
    return nil, err
  end
  return self:answer(id, say, timeout or PATIENCE)
end

function Line:close()
  self.core:close()
end

-- --- which one ---

-- The process that was started is the supervisor, and the socket its worker's.
local function is_meant(socket, pid)
  return socket.pid == pid or files.parent(socket.pid) == pid
end

-- The servers that listen, each with its line; those that died are tidied away.
local function live()
  local found = {}
  for _, socket in ipairs(place.sockets()) do
    local line, _, nobody = dial(socket.path)
    if line then
      socket.line = line
      found[#found + 1] = socket
    elseif nobody and not files.alive(socket.pid) then
      remove(socket.path)
    end
  end
  return found
end

local function info_of(socket)
  socket.info = socket.info or socket.line:request("info", nil, nil, 2000) or {}
  return socket.info
end

local function describe(sockets)
  local lines = {}
  for i, socket in ipairs(sockets) do
    local info = info_of(socket)
    local ports = concat(info.ports or {}, ", ")
    local what = info.application or socket.name .. " (does not answer)"
    ports = ports ~= "" and ", port " .. ports or ""
    lines[i] = ("\n  --pid %-8d %s%s"):format(info.supervisor or socket.pid, what, ports)
  end
  return concat(lines)
end

local function choose(found, given)
  local chosen = {}
  local wanted = given.application and (files.real(given.application) or given.application)
  for _, socket in ipairs(found) do
    if given.pid and is_meant(socket, given.pid) or wanted and info_of(socket).application == wanted
      or not given.pid and not wanted then
      chosen[#chosen + 1] = socket
    end
  end
  return chosen, wanted
end

-- What to say where no server fits.
local function nobody(found, given)
  if #found == 0 then
    return "no server of this user is running (painda run starts one; --control PATH reaches one elsewhere)"
  end
  local asked = given.pid and ("with process %d"):format(given.pid) or "for " .. tostring(given.application)
  return ("no server %s; there %s:%s"):format(asked, #found == 1 and "is" or "are", describe(found))
end

-- The line to the server that is meant: given.control is a socket's path, given.pid a process, given.application a
-- file; with none of them it is the only one that runs. Or nil and a message that says what there is.
function _M.open(given)
  if given.control then
    local line, err, gone = dial(given.control)
    if line then
      return line
    end
    return nil, ("cannot reach %s: %s"):format(given.control, gone and "no server listens there" or err)
  end
  local found = live()
  local chosen = choose(found, given)
  local result, err
  if #chosen == 1 then
    result = chosen[1].line
  elseif #chosen == 0 then
    err = nobody(found, given)
  else
    err = "several servers are running, say which:" .. describe(chosen)
  end
  for _, socket in ipairs(found) do
    if socket.line ~= result then
      socket.line:close()
    end
  end
  return result, err
end

return _M
