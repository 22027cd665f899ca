-- Arguments that several methods take. What is wrong with one is raised at `level`: 2 is the caller of the function
-- that asks here.

local core = require "painda.core.server"
local null = require("painda.core.json").null
local Error = require "painda.error"
local options = require "painda.options"

local shown = options.shown
local type, error, next, tostring, getmetatable = type, error, next, tostring, getmetatable
local message_mark = core.message_mark

local _M = {}

local SEND_OPTIONS = { "namespace", "volatile" }
local NONE = {}

-- A message to be sent, {type = …, payload = …} or an object as it was received: its type and its payload, or that
-- object in place of both.
function _M.message(what, message, level)
  local kind = type(message)
  if kind == "table" then
    return message.type, message.payload
  elseif kind == "userdata" and getmetatable(message) == message_mark then
    return message
  end
  local text = "%s takes a message {type = …, payload = …}, not %s"
  error(text:format(what, message == null and "painda.null" or "a " .. kind), level + 1)
end

-- What may follow a message: nothing, or {volatile, namespace}. A table in any case.
function _M.send_options(what, given, level)
  if given == nil then
    return NONE
  elseif type(given) ~= "table" then
    local text = "%s takes a function or {volatile, namespace} after the message, not a %s"
    error(text:format(what, type(given)), level + 1)
  end
  for name in next, given do
    if name ~= "volatile" and name ~= "namespace" then
      local hint = options.hint(name, SEND_OPTIONS)
      error(("%s has no option %q%s"):format(what, tostring(name), hint), level + 1)
    end
  end
  local ns = given.namespace
  if ns ~= nil and type(ns) ~= "string" then
    error(('%s option "namespace" is a string, not a %s'):format(what, type(ns)), level + 1)
  end
  return given
end

-- Who is left out of a broadcast, given as a client, as its socket in a namespace, or as an id: what has its _ref, or
-- nil.
function _M.left_out(what, server, except, level)
  local kind = type(except)
  if kind == "string" then
    local client = core.by_id(server._core, except)
    return type(client) == "table" and client or nil
  elseif kind == "nil" or kind == "table" and except._ref and except.server == server then
    return except
  end
  error(("%s leaves out a client of the same server, or the id of one, not %s"):format(
    what, kind == "table" and "another table" or "a " .. kind), level + 1)
end

-- Raises for a message that C did not take: `text` and `code` say why.
function _M.refused(what, mtype, text, code, level)
  if type(mtype) ~= "string" or mtype == "" then
    text = ("%s takes the type of a message, a string that is not empty, not %s"):format(what, shown(mtype))
  end
  Error.raise(text, code, level + 1)
end

-- A string that is not empty: what a method calls `something`.
function _M.name(what, something, value, level)
  if type(value) ~= "string" or value == "" then
    local text = "%s takes %s, a string that is not empty, not %s"
    error(text:format(what, something, shown(value)), level + 1)
  end
end

-- What a connection is closed with: the code and the reason, with their defaults.
function _M.closing(what, code, reason, level)
  code, reason = code or 1000, reason or ""
  if type(code) ~= "number" or not (code == 1000 or code >= 3000 and code <= 4999) then
    error(("%s takes a code of 1000, or 3000 to 4999, not %s"):format(what, shown(code)), level + 1)
  end
  if type(reason) ~= "string" then
    error(("%s takes a reason that is a string, not %s"):format(what, shown(reason)), level + 1)
  end
  return code, reason
end

function _M.milliseconds(what, ms, level)
  if type(ms) ~= "number" or not (ms > 0 and ms <= 1e12) then
    error(("%s takes milliseconds above 0, not %s"):format(what, shown(ms)), level + 1)
  end
end

-- The __ackId of a message.
function _M.ack_id(what, id, level)
  if type(id) ~= "number" or not (id >= 1 and id <= 2 ^ 53 and id % 1 == 0) then
    error(("%s takes the __ackId of a message, a whole number above 0, not %s"):format(what, shown(id)), level + 1)
  end
end

return _M
