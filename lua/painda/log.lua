-- Logging: one line an event. log.info("joined", { room = "lobby", client = client.id })

local runtime = require "painda.core.runtime"

local type, tostring, pairs = type, tostring, pairs
local write = runtime.log

local _M = {}

-- Only strings and numbers are written as they are; the runtime takes the rest as text.
local function plain(fields)
  local out = {}
  for key, value in pairs(fields) do
    out[tostring(key)] = (type(value) == "string" or type(value) == "number") and value or tostring(value)
  end
  return out
end

for _, level in ipairs { "debug", "info", "warn", "error" } do
  _M[level] = function(text, fields)
    local lines = tostring(text):gsub("\n\t", "\n") -- a traceback's: the log indents what follows the first line itself
    write(level, lines, fields and plain(fields))
  end
end

-- Sets the least level that is written: debug, info, warn, error or silent.
function _M.set_level(level)
  if not runtime.set_log_level(level) then
    error(("log level %q is none of debug, info, warn, error, silent"):format(tostring(level)), 2)
  end
end

return _M
