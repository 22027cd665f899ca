-- The clock of a test: it stands still, and is moved by hand. There is one for the process; the environments that are
-- open share it, and the last of them gives it back.

local core = require "painda.core.clock"
local api = require "painda.api"
local runtime = require "painda.core.runtime"
local task = require "painda.task"
local shown = require("painda.options").shown

local setmetatable, type, error = setmetatable, type, error

local Clock = {}
Clock.__index = Clock
Clock.__name = "painda.testing.Clock"

local holders = 0

local _M = {}

function _M.hold()
  holders = holders + 1
  core.freeze()
  return setmetatable({ start = runtime.now() }, Clock)
end

function _M.release()
  holders = holders - 1
  if holders == 0 then
    core.thaw()
  end
end

_M.is_held = core.frozen

-- Milliseconds since the environment was made.
function Clock:now()
  return runtime.now() - self.start
end

-- Moves the clock `ms` ahead and waits until all that falls into this time has happened: each timer at its own time,
-- with what it wakes, before the next. 0 lets what is under way come to rest.
function Clock:advance(ms) -- luacheck: no self
  if type(ms) ~= "number" or not (ms >= 0 and ms <= 1e12 and ms % 1 == 0) then
    error(("clock:advance takes whole milliseconds from 0 to 1e12, not %s"):format(shown(ms)), 2)
  end
  if not core.frozen() then
    error("clock:advance: the clock is not a test's any more, its environment is closed", 2)
  end
  local waiter = task.waiter()
  local begun = core.advance(ms, function()
    waiter:wake()
  end)
  if not begun then
    error("clock:advance: the clock is being advanced already, by another task", 2)
  end
  waiter:wait()
end

api.class("clock", Clock, Clock)

return _M
