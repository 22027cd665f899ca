-- Plugins' hooks, as those call them who know when: dispatch.lua, the senders, rooms, the server's end.
--
-- A server's registrations have `hooks`, nil where no plugin has one: { [hook] = { { plugin, fn }, … } }, in the order
-- of registration. Each hook runs protected: what it raises is reported with the plugin's name, and the rest goes on.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local log = require "painda.log"
local tasks = require "painda.reload.tasks"

local xpcall, type, error, setmetatable, ipairs = xpcall, type, error, setmetatable, ipairs
local traceback, running, spawn = debug.traceback, coroutine.running, runtime.spawn

local _M = {
  NAMES = {
    "onConnect",
    "onDisconnect",
    "onMessage",
    "onSend",
    "onRoomJoin",
    "onRoomLeave",
    "onShutdown",
    "onError",
  },
  sending = false, -- some plugin of this process has had an onSend: what is sent has to be looked at
}

local function on_raise(raised)
  return { raised = raised, trace = traceback(Error.report(raised), 2) }
end

-- Tells of a hook that raised: in the log, to the server's error listeners, to the other plugins' onError.
local function report(server, entry, hook, failure, client)
  local err, generation = Error.from(failure.raised, "HANDLER_ERROR"), tasks.generation()
  server._hook_errors = (server._hook_errors or 0) + 1
  log.error(("plugin %q: %s failed: %s"):format(entry.plugin, hook, failure.trace), {
    client = client and client.id,
    generation = generation and generation.number or runtime.committed,
  })
  if hook == "onError" then
    return
  end
  local list = {}
  for i = 1, emitter.collect(server._registered.events, "error", list, 0) do
    spawn(list[i], err, client, hook)
  end
  _M.run(server, "onError", err, client, hook)
end

-- Which argument of a hook is the client, for the log.
local CLIENT_AT = { onError = 2 }

local function call(server, entry, hook, ...)
  local ok, result = xpcall(entry.fn, on_raise, ...)
  if ok then
    return result
  end
  local first, second = ...
  report(server, entry, hook, result, CLIENT_AT[hook] == 2 and second or hook ~= "onShutdown" and first or nil)
end

-- Calls every hook of that name, one after the other.
function _M.run(server, hook, ...)
  local hooks = server._registered.hooks
  local list = hooks and hooks[hook]
  if list then
    for _, entry in ipairs(list) do
      call(server, entry, hook, ...)
    end
  end
end

-- Does every plugin of these registrations let the message pass?
function _M.admits(server, client, message, registered)
  local list = registered.hooks.onMessage
  for _, entry in ipairs(list or {}) do
    if call(server, entry, "onMessage", client, message) == false then
      return false
    end
  end
  return true
end

-- --- sending ---

-- The tasks that are in an onSend hook: what that sends itself is not offered again.
local inside = setmetatable({}, { __mode = "k" })
local DROPPED = {} -- in place of a type; nil may be what the application gave, and is an error further on

local function check_message(message)
  if type(message) ~= "table" and type(message) ~= "userdata" or type(message.type) ~= "string" then
    error("the hook must return a message {type = …, payload = …}, false to drop it, or nothing", 0)
  end
  return message
end

local function offer(server, list, client, message)
  for _, entry in ipairs(list) do
    local answer = call(server, entry, "onSend", client, message)
    if answer == false then
      return nil, entry.plugin
    end
    if answer ~= nil then
      local ok, failure = xpcall(check_message, on_raise, answer)
      if ok then
        message = answer
      else
        report(server, entry, "onSend", failure, client)
      end
    end
  end
  return message
end

-- What becomes of a message on its way out, once for all that it goes to: a type and a payload, or a message object in
-- place of both; DROPPED and a text where a plugin dropped it.
local function outgoing(server, client, mtype, payload, ns)
  local hooks = server._registered.hooks
  local list = hooks and hooks.onSend
  local task = running() or _M
  if not list or inside[task] then
    return mtype, payload
  end
  inside[task] = true
  local given = type(mtype) == "userdata" and mtype or { type = mtype, payload = payload, __ns = ns }
  local message, dropped_by = offer(server, list, client, given)
  inside[task] = nil
  if message == nil then
    return DROPPED, ("dropped by the plugin %q"):format(dropped_by)
  end
  if type(message) == "userdata" then
    return message
  end
  return message.type, message.payload
end

-- core.send for a client, with what the plugins make of it. To be called in its place where `sending` is true.
function _M.send(client, mtype, payload, ns, ...)
  mtype, payload = outgoing(client.server, client, mtype, payload, ns)
  if mtype == DROPPED then
    return nil, payload, "MIDDLEWARE_ERROR"
  end
  return core.send(client._ref, mtype, payload, ns, ...)
end

-- core.broadcast for a server, likewise: the plugins are asked once, with no client.
function _M.broadcast(server, mtype, payload, ns, ...)
  mtype, payload = outgoing(server, nil, mtype, payload, ns)
  if mtype == DROPPED then
    return 0
  end
  return core.broadcast(server._core, mtype, payload, ns, ...)
end

-- Errors of hooks since the server began.
function _M.errors(server)
  return server._hook_errors or 0
end

return _M
