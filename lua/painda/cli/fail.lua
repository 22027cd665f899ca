-- How a command ends that can't do what it was asked: one line on stderr, and the exit status. Where the log is JSON,
-- that line is one of the log's.

local runtime = require "painda.core.runtime"

local _M = { FAILURE = 1, USAGE = 2, as_json = false }

function _M.fail(code, text)
  if _M.as_json then
    runtime.log("error", text)
  else
    io.stderr:write("painda: ", text, "\n")
  end
  runtime.stop(code)
end

return _M
