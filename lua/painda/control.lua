-- The running server's end of the control socket, over which `painda console`, `stats`, `reload` … give their commands.
--
--   control.command("echo", function(request, peer)      -- on a task: it may wait
--     peer:say("one moment\n")                           -- text on the way, any number of times
--     return { text = request.text }                     -- or raise: the message goes back
--   end)
--
-- One line of JSON each: {"id":1,"command":"echo","text":"x"} → {"id":1,"text":"one moment\n"}, {"id":1,"result":…} or
-- {"id":1,"error":"…","traceback":"…"}. Commands belong to the runtime, not to a generation of the application.

local core = require "painda.core.control"
local files = require "painda.core.files"
local json = require "painda.core.json"
local log = require "painda.log"
local options = require "painda.options"
local place = require "painda.control.place"
local reload = require "painda.reload"
local runtime = require "painda.core.runtime"

local type, tostring, pairs, xpcall, setmetatable = type, tostring, pairs, xpcall, setmetatable
local traceback, rawequal = debug.traceback, rawequal

local LINE_MAX = 1024 * 1024 -- bytes of one request

local _M = {}
local commands = {}
local peers = {} -- core peer → Peer
local listener, application

local Peer = {}
Peer.__index = Peer

local function answer(peer, message)
  local text, err = json.encode(message)
  if not text then
    text = json.encode { id = message.id, error = "the answer is no JSON: " .. tostring(err) }
  end
  peer.core:send(text .. "\n")
end

-- Text for the person at the other end, while a command runs.
function Peer:say(text)
  answer(self, { id = self.answering, text = text })
end

-- A command that the socket understands; see above. What fn returns becomes JSON, so a table or nil.
function _M.command(name, fn)
  commands[name] = fn
end

local function unknown(name)
  local names = {}
  for known in pairs(commands) do
    names[#names + 1] = known
  end
  local near = options.nearest(tostring(name), names)
  return ("this server has no command %q%s"):format(tostring(name), near and (", did you mean %q?"):format(near) or "")
end

-- A request has its own view of the peer, so that text said by two that run at once is told apart.
local function run(peer, request)
  local command = commands[request.command]
  local view = setmetatable({ answering = request.id, core = peer.core, shared = peer.shared }, Peer)
  if not command then
    return answer(view, { id = request.id, error = unknown(request.command) })
  end
  local ok, result = xpcall(command, function(raised)
    if type(raised) == "table" and raised.plain then
      return { error = tostring(raised.plain) }
    end
    return { error = tostring(raised), traceback = traceback("", 2):gsub("^%s+", "") }
  end, request, view)
  if ok then
    return answer(view, { id = request.id, result = result == nil and json.null or result })
  end
  result.id = request.id
  return answer(view, result)
end

local function on_line(peer, text)
  local request, err = json.decode(text)
  if type(request) ~= "table" or rawequal(request, json.null) or type(request.command) ~= "string" then
    answer(peer, { error = "a line of JSON with a command is expected" .. (err and ": " .. tostring(err) or "") })
    return peer.core:close()
  end
  return runtime.spawn(run, peer, request)
end

local function on_bytes(core_peer, bytes)
  local peer = peers[core_peer]
  if not bytes then
    peers[core_peer] = nil
    if peer and peer.shared.on_close then
      peer.shared.on_close()
    end
    return
  end
  if not peer then
    -- `shared` is what the commands of one connection keep between them
    peer = setmetatable({ core = core_peer, rest = "", shared = { pid = core_peer:pid() } }, Peer)
    peers[core_peer] = peer
  end
  while bytes do
    local stop = bytes:find("\n", 1, true)
    local line = peer.rest .. bytes:sub(1, (stop or 0) - 1)
    if #line > LINE_MAX then
      answer(peer, { error = ("a request of more than %d bytes"):format(LINE_MAX) })
      return core_peer:close()
    end
    peer.rest = stop and "" or line
    bytes = stop and bytes:sub(stop + 1)
    if stop then
      on_line(peer, line)
    end
    bytes = peers[core_peer] and bytes
  end
end

_M.command("info", function()
  local ports = {}
  for _, object in pairs(reload.objects) do
    if type(object) == "table" and type(object.port) == "number" then
      ports[#ports + 1] = object.port
    end
  end
  table.sort(ports)
  return {
    pid = files.process().pid,
    application = application,
    version = runtime.version,
    generation = reload.current.number,
    ports = json.array(ports),
  }
end)

_M.command("stats", function()
  local servers = {}
  for _, object in pairs(reload.objects) do
    if type(object) == "table" and type(object.getStats) == "function" then
      local stats = object:getStats()
      stats.port = object.port
      servers[#servers + 1] = stats
    end
  end
  return { pid = files.process().pid, application = application, servers = json.array(servers) }
end)

-- Opens the socket for the application in file `path`: where `wanted` says, else in this user's folder; "off": none.
-- True, or nil and what is wrong.
function _M.start(path, wanted)
  if wanted == "off" then
    return true
  end
  application = files.real(path) or path
  local socket = wanted
  if not socket then
    place.tidy(core.dial)
    local directory, fault = place.directory()
    if not directory then
      return nil, fault
    end
    socket = place.path(directory, application, files.process().pid)
  end
  local err
  listener, err = core.listen(socket, on_bytes)
  if not listener then
    return nil, err
  end
  log.debug("control socket", { path = socket })
  return true
end

function _M.stop()
  if listener then
    listener:close()
    listener = nil
  end
end

return _M
