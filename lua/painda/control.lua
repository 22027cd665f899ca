-- The running server's end of the control socket, over which `painda console`, `stats`, `reload` … give their commands.
--
--   control.command("echo", function(request, peer)      -- on a task: it may wait
--     peer:say("one moment\n")                           -- text on the way, any number of times
--     peer.describe = fn                                 -- fn(raised) → what is said of an error; tostring otherwise
--     return { text = request.text }                     -- or raise: the message goes back
--   end)
--
-- One line of JSON each: {"id":1,"command":"echo","text":"x"} → {"id":1,"text":"one moment\n"}, {"id":1,"result":…} or
-- {"id":1,"error":"…","traceback":"…"}. Commands belong to the runtime, not to a generation of the application.

local core = require "painda.core.control"
local faults = require "painda.faults"
local files = require "painda.core.files"
local json = require "painda.core.json"
local log = require "painda.log"
local options = require "painda.options"
local harmless = require("painda.control.text").harmless
local place = require "painda.control.place"
local reload = require "painda.reload"
local runtime = require "painda.core.runtime"
local supervisor = require "painda.core.supervisor"
local task = require "painda.task"

local type, tostring, pairs, ipairs = type, tostring, pairs, ipairs
local setmetatable, require = setmetatable, require
local traceback, running = debug.traceback, coroutine.running

local LINE_MAX = 1024 * 1024 -- bytes of one request

-- The first word of a command → the module that brings it.
local LAZY = { console = "painda.console", stats = "painda.control.stats" }

local _M = {
  path = nil, -- of the application's main file, as it was given
}
local commands = {}
local peers = {} -- core peer → Peer
local listener
local held = {} -- requests that came before the application was loaded; nil from then on

local Peer = {}
Peer.__index = Peer

local function answer(peer, message)
  local answered = message.id
  local text, err = json.encode(message)
  if not text then -- such as bytes that are not UTF-8
    local said = message.text or message.error
    message = said and { [message.text and "text" or "error"] = harmless(said, "[\n\t]") }
      or { error = "the answer is no JSON: " .. tostring(err) }
    message.id = answered
    text = json.encode(message)
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

-- The command of that name, whose module may have to be loaded first.
local function find(name)
  local module = LAZY[name:match "^%a+"]
  if not commands[name] and module then
    require(module)
  end
  return commands[name]
end

local function unknown(name)
  local names = {}
  for known in pairs(commands) do
    names[#names + 1] = known
  end
  local near = options.nearest(tostring(name), names)
  return ("this server has no command %q%s"):format(tostring(name), near and (", did you mean %q?"):format(near) or "")
end

-- Calls the command on this task. Where that fails, whoever asked is told, and nobody else.
local function run(command, request, view)
  local thread = running()
  faults.expect(thread, function(raised)
    if type(raised) == "table" and raised.plain then
      return answer(view, { id = request.id, error = tostring(raised.plain) })
    end
    local text = view.describe and view.describe(raised) or tostring(raised)
    local trace = traceback(thread):gsub("\n[^\n]*painda/con[trsole]+%.lua[^\n]*", "")
    answer(view, { id = request.id, error = text, traceback = trace })
  end)
  local result = command(request, view)
  faults.expect(thread, nil)
  answer(view, { id = request.id, result = result == nil and json.null or result })
end

-- The loop calls the command, not this task: the limit of handlers then ends the one and not the other.
local function on_request(peer, request)
  local command = find(request.command)
  -- each request has a view of its own, so that what two say that run at once is told apart
  local view = setmetatable({ answering = request.id, core = peer.core, shared = peer.shared }, Peer)
  if not command then
    return answer(view, { id = request.id, error = unknown(request.command) })
  end
  local start = task.waiter()
  runtime.spawn(function()
    start:wait()
    run(command, request, view)
  end)
  if held then
    held[#held + 1] = start
  else
    start:wake()
  end
end

local function on_line(peer, text)
  local request, err = json.decode(text)
  if type(request) == "table" and type(request.command) == "string" then
    return on_request(peer, request)
  end
  answer(peer, { error = "a line of JSON with a command is expected" .. (err and ": " .. tostring(err) or "") })
  peer.core:close()
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

-- Where the application's main file is now: a folder on the way may be a link that leads elsewhere since the start.
function _M.application()
  return files.real(_M.path) or _M.path
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
    supervisor = supervisor.pid(),
    application = _M.application(),
    version = runtime.version,
    generation = reload.current.number,
    ports = json.array(ports),
  }
end)

-- Opens the socket for the application in file `path`, which is going to be loaded: where `wanted` says, else in this
-- user's folder; "off": none. What is asked before control.serve() waits for it. True, or nil and what is wrong.
function _M.start(path, wanted)
  if wanted == "off" then
    return true
  end
  _M.path = path
  local socket = wanted
  if not socket then
    place.tidy(core.dial)
    local directory, fault = place.directory()
    if not directory then
      return nil, fault
    end
    socket = place.path(directory, _M.application(), files.process().pid)
  end
  local err
  listener, err = core.listen(socket, on_bytes)
  if not listener then
    return nil, err
  end
  log.debug("control socket", { path = socket })
  return true
end

-- The application is there: what was asked meanwhile is done now.
function _M.serve()
  local waiting = held or {}
  held = nil
  for _, start in ipairs(waiting) do
    start:wake()
  end
end

function _M.stop()
  if listener then
    listener:close()
    listener = nil
  end
end

return _M
