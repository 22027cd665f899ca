-- JSON as the message path reads and writes it: strict, bounded, arrays marked.
--
--   local value, err = json.decode(text)     local text, err = json.encode(value)

local core = require "painda.core.json"
local api = require "painda.api"

local _M = {}
for name, value in pairs(core) do
  _M[name] = value
end

return api.module("painda.json", _M)
