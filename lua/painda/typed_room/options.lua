-- The options of server:room: what there is, and what is wrong with those given.

local options = require "painda.options"
local view_options = require "painda.typed_room.view_options"

local type, error = type, error

local MIB = 1024 * 1024
local OPTIONS = {
  maxClients = { type = "integer", min = 1, max = 10000000 },
  tickRate = { type = "number", min = 1, max = 86400000, default = 16 }, -- ms
  syncOnJoin = { type = "boolean", default = true },
  metadata = { type = "table" },
  auth = { type = "function" },
  diffAlgorithm = { type = { "string", "function" }, default = "deep" },
  onFull = { values = { "reject", "kick-oldest" }, default = "reject" },
  maxStateSize = { type = "integer", min = 2, max = 1024 * MIB }, -- bytes of JSON; half of maxBackpressure
  slowAbove = { type = "integer", min = 0, max = 1024 * MIB }, -- bytes; the server's volatileAbove
  migrate = { type = "function" }, -- old values → values, where the schema has changed
  maxKeptStates = { type = "integer", min = 0, max = 1024, default = 8 }, -- for members that are behind
  entities = { type = { "string", "table" } }, -- maps that views choose from
  view = { type = { "table", "function" } }, -- what who joins sees
  resyncInterval = { type = "integer", min = 0, max = 86400000, default = 1000 }, -- ms
}
local ALGORITHMS = { "deep", "shallow" }

local _M = { OPTIONS = OPTIONS }

local function check_algorithm(given, level)
  if type(given) == "function" or given == "deep" or given == "shallow" then
    return
  end
  local hint = options.hint(given, ALGORITHMS)
  local told = 'server:room option "diffAlgorithm" must be "deep", "shallow" or a function, not %q%s'
  error(told:format(given, hint), level + 1)
end

-- The options as given, checked, with defaults. Raises where one is wrong.
function _M.check(given, level)
  level = level + 1
  local checked = options.check("server:room", OPTIONS, given or {}, level)
  check_algorithm(checked.diffAlgorithm, level)
  view_options.check_options(checked, level)
  return checked
end

return _M
