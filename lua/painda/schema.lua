-- Binary schemas: which message types travel as packed bytes, and how. All of it runs in C (painda.core.schema).
local core = require "painda.core.schema"

local _M = {
  PPSchemaRegistry = core.PPSchemaRegistry,
  structSerializer = core.structSerializer,
  jsonSerializer = core.jsonSerializer,
  stringSerializer = core.stringSerializer,
  bufferSerializer = core.bufferSerializer,
  mixedSerializer = core.mixedSerializer,
}

return _M
