-- Waiting without blocking. Each handler runs on a coroutine of its own; what waits gives the thread back to the loop.
--
--   local waiter = task.waiter()
--   onAnswer(function(value) waiter:wake(value) end)
--   local value, err = waiter:wait(1000)      -- nil, "timeout" after a second

local runtime = require "painda.core.runtime"
local shown = require("painda.options").shown

local setmetatable, type, error, select, pcall, tostring = setmetatable, type, error, select, pcall, tostring
local running, unpack = coroutine.running, unpack
local new_timer, core_wait, core_wake = runtime.timer, runtime.wait, runtime.wake

local _M = {}

local Waiter = {}
Waiter.__index = Waiter

function _M.waiter()
  return setmetatable({}, Waiter)
end

-- Passes the values to whoever waits, or will wait. Only the first wake counts; true for that one.
function Waiter:wake(...)
  if self.done then
    return false
  end
  self.done = true
  if self.timer then
    self.timer:stop()
  end
  if self.thread then
    core_wake(self.thread, ...)
  else
    self.values = { n = select("#", ...), ... }
  end
  return true
end

local function resumed(self, ok, first, ...)
  if ok then
    return first, ...
  end
  self.done = true -- nobody waits: a wake would reach whatever the task waits for next
  if self.timer then
    self.timer:stop()
  end
  if tostring(first):find("C%-call boundary") then
    first = "this call waits, which is not possible inside a table.sort comparator, a string.gsub callback, "
      .. "a room's view or require"
  end
  error(first, 0)
end

-- Waits for wake, at most `timeout` ms: returns its values, or nil, "timeout". With `guard` the time is the machine's,
-- also where a test holds the clock.
function Waiter:wait(timeout, guard)
  if self.values then
    return unpack(self.values, 1, self.values.n)
  end
  local thread = running()
  if not thread then
    error("this call waits, which only a handler or a task of painda.spawn can do", 2)
  end
  self.thread = thread
  if timeout then
    self.timer = new_timer(function()
      self:wake(nil, "timeout")
    end, guard)
    self.timer:start(timeout)
  end
  return resumed(self, pcall(core_wait))
end

-- Waits for `ms` milliseconds, 0 or more: other handlers run meanwhile.
function _M.sleep(ms)
  if type(ms) ~= "number" or not (ms >= 0 and ms <= 1e12) then
    error(("painda.sleep takes milliseconds from 0 to 1e12, not %s"):format(shown(ms)), 2)
  end
  _M.waiter():wait(ms)
end

return _M
