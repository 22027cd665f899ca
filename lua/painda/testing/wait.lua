-- Waiting in tests. A limit here is there to end a test that hangs, so it goes by real time, whatever the test's clock
-- says.

local runtime = require "painda.core.runtime"
local task = require "painda.task"
local shown = require("painda.options").shown

local type, error, pcall = type, error, pcall

local LIMIT = 2000 -- ms
local PAUSE = 1

local _M = {}

-- The limit that a function `what` was given, or the usual one.
function _M.limit(what, timeout, level)
  if timeout == nil then
    return LIMIT
  end
  if type(timeout) ~= "number" or not (timeout > 0 and timeout <= 1e12) then
    error(("%s takes the milliseconds that it may take, above 0, not %s"):format(what, shown(timeout)), level + 1)
  end
  return timeout
end

-- Calls check() now and each time that the waiter it is given is woken, until it returns something that is not nil.
-- Returns that, or nil after `limit` ms.
function _M.until_woken(limit, check)
  local waiter, expired = nil, false
  local guard = runtime.timer(function()
    expired = true
    if waiter then
      waiter:wake()
    end
  end, true)
  guard:start(limit)
  while true do
    waiter = task.waiter()
    local found = check(waiter)
    if found ~= nil or expired then
      guard:stop()
      return found
    end
    waiter:wait()
  end
end

-- Calls predicate() again and again until it returns something true, and returns that. Raises after `timeout` ms of
-- real time (2,000): what the predicate raised last, where it did.
function _M.waitFor(predicate, timeout)
  if type(predicate) ~= "function" then
    error(("waitFor takes a function, not a %s"):format(type(predicate)), 2)
  end
  local limit = _M.limit("waitFor", timeout, 2)
  local raised
  local found = _M.until_woken(limit, function(waiter)
    local ok, value = pcall(predicate)
    raised = not ok and value or nil
    if ok and value then
      return value
    end
    local pause = runtime.timer(function()
      waiter:wake()
    end, true)
    pause:start(PAUSE)
  end)
  if found == nil then
    if raised ~= nil then
      error(raised, 0) -- where it was raised stands in it
    end
    error(("waitFor: it did not come true within %d ms"):format(limit), 2)
  end
  return found
end

return _M
