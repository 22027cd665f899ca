-- Session recovery: the options of PPServer. What is recovered is in runtime/session/recovery.h; what becomes of
-- the client's object in dispatch.lua.

local options = require "painda.options"

local error = error

local _M = {}

local MIB = 1024 * 1024
local OPTIONS = {
  maxBufferSize = { type = "integer", min = 1, max = 1000000, default = 100 },
  maxBufferBytes = { type = "integer", min = 1024, max = 1024 * MIB, default = MIB },
  retentionMs = { type = "integer", min = 1, max = 86400000, default = 120000 },
  maxTotalBytes = { type = "integer", min = 4096, max = 1024 * 1024 * MIB, default = 256 * MIB },
}
local SECRET_MIN = 16 -- bytes: less can be guessed

-- The checked options as given to PPServer: `recovery` becomes a table or false.
function _M.check(checked, level)
  local given, secret = checked.recovery, checked.recoverySecret
  if given == true then
    given = {}
  end
  checked.recovery = given and options.check("PPServer recovery", OPTIONS, given, level + 1) or false
  if secret and #secret < SECRET_MIN then
    error(("PPServer option \"recoverySecret\" must have at least %d bytes"):format(SECRET_MIN), level + 1)
  end
end

-- Adds what C takes to its flat table.
function _M.flat(checked, out)
  local recovery = checked.recovery
  if not recovery then
    return
  end
  out.recovery = true
  out.recoverySecret = checked.recoverySecret
  out.recoveryMaxCount = recovery.maxBufferSize
  out.recoveryMaxBytes = recovery.maxBufferBytes
  out.recoveryMaxTotal = recovery.maxTotalBytes
  out.recoveryRetention = recovery.retentionMs
end

return _M
