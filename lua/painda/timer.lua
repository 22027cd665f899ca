-- Timers of the application: painda.after and painda.every. They end with the generation that made them.

local runtime = require "painda.core.runtime"
local api = require "painda.api"
local reload = require "painda.reload"
local shown = require("painda.options").shown

local setmetatable, type, error, max, floor = setmetatable, type, error, math.max, math.floor
local now = runtime.now

local Timer = {}
Timer.__index = Timer
Timer.__name = "painda.Timer"

function Timer:__tostring()
  return self.core and "timer" or "timer that has ended"
end

-- Ends the timer; false where it had ended already. A call that is running goes on to its end.
function Timer:cancel()
  local core = self.core
  if not core then
    return false
  end
  self.core = nil
  reload.disown_timer(self)
  core:stop()
  return true
end

api.class("timer", Timer, Timer)

local function check(what, ms, fn, least)
  if type(ms) ~= "number" or not (ms >= least and ms <= 1e12) then
    error(("%s takes milliseconds from %d to 1e12, not %s"):format(what, least, shown(ms)), 3)
  end
  if type(fn) ~= "function" then
    error(("%s takes a function to call, not a %s"):format(what, type(fn)), 3)
  end
end

local _M = {}

-- Calls fn once, `ms` milliseconds from now.
function _M.after(ms, fn)
  check("painda.after", ms, fn, 0)
  local self = setmetatable({}, Timer)
  self.core = runtime.timer(function()
    self.core = nil
    reload.disown_timer(self)
    fn()
  end)
  reload.own_timer(self, function()
    if self.core then
      self.core:start(ms)
    end
  end)
  return self
end

-- Calls fn every `ms` milliseconds. The rate does not drift: what is late does not shift what follows, and calls that
-- were missed are left out.
function _M.every(ms, fn)
  check("painda.every", ms, fn, 1)
  local self = setmetatable({}, Timer)
  local due
  local function arm()
    local time = now()
    due = due + ms
    if due <= time then
      due = due + floor((time - due) / ms + 1) * ms
    end
    self.core:start(max(0, due - time))
  end
  self.core = runtime.timer(function()
    if self.core then
      arm()
      fn()
    end
  end)
  reload.own_timer(self, function()
    due = now()
    if self.core then
      arm()
    end
  end)
  return self
end

return _M
