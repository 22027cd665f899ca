-- How a command ends that can't do what it was asked: one line on stderr, and the exit status.

local runtime = require "painda.core.runtime"

local _M = { FAILURE = 1, USAGE = 2 }

function _M.fail(code, text)
  io.stderr:write("painda: ", text, "\n")
  runtime.stop(code)
end

return _M
