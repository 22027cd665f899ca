-- Binary schemas: which message types travel as packed bytes, and how. All of it runs in C (painda.core.schema).
local core = require "painda.core.schema"
local options = require "painda.options"

local _M = {
  structSerializer = core.structSerializer,
  jsonSerializer = core.jsonSerializer,
  stringSerializer = core.stringSerializer,
  bufferSerializer = core.bufferSerializer,
  mixedSerializer = core.mixedSerializer,
}

-- A registry, which is empty at first.
function _M.PPSchemaRegistry(given)
  if given ~= nil then
    error(("PPSchemaRegistry takes nothing, and was given %s"):format(options.shown(given)), 2)
  end
  return core.PPSchemaRegistry()
end

return _M
