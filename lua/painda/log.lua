-- Logging: one line an event. log.info("joined", { room = "lobby", client = client.id })

local runtime = require "painda.core.runtime"
local api = require "painda.api"
local options = require "painda.options"

local type, tostring, pairs, error = type, tostring, pairs, error
local write = runtime.log

local _M = {
  -- Makes an error's text say more. `generation` is the number of that whose code raised it, where it is known.
  _explain = function(text, _)
    return text
  end,
}

-- Only strings and numbers are written as they are; the runtime takes the rest as text.
local function plain(fields)
  local out = {}
  for key, value in pairs(fields) do
    out[tostring(key)] = (type(value) == "string" or type(value) == "number") and value or tostring(value)
  end
  return out
end

local function check(level, fields)
  if fields ~= nil and type(fields) ~= "table" then
    local told = "painda.log.%s takes a text and a table of fields, and was given %s for the fields"
    error(told:format(level, options.shown(fields)), 3)
  end
end

local function log(level, text, fields)
  local lines = text:gsub("\n\t", "\n") -- a traceback's: the log indents what follows the first line itself
  write(level, lines, fields and plain(fields))
end

for _, level in ipairs { "debug", "info", "warn" } do
  _M[level] = function(text, fields)
    check(level, fields)
    log(level, tostring(text), fields)
  end
end

function _M.error(text, fields)
  check("error", fields)
  log("error", _M._explain(tostring(text), fields and fields.generation), fields)
end

-- Sets the least level that is written: debug, info, warn, error or silent.
function _M.set_level(level)
  if type(level) ~= "string" or not runtime.set_log_level(level) then
    local told = "painda.log.set_level takes debug, info, warn, error or silent, not %s"
    error(told:format(options.shown(level)), 2)
  end
end

return api.module("painda.log", _M)
