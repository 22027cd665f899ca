-- The swap of one generation for another, and giving one up. Nothing of the application is in the middle of anything
-- while this runs, and nothing in it waits: it is one step between two messages. It must not fail halfway, so each
-- thing that could is on its own.

local log = require "painda.log"
local runtime = require "painda.core.runtime"
local tasks = require "painda.reload.tasks"

local pairs, ipairs, xpcall, tostring, traceback = pairs, ipairs, xpcall, tostring, debug.traceback

local TOO_MANY = 8 -- old generations with waiting tasks: somebody loops where a timer belongs

local _M = {}

local told_of = 0 -- generations with waiting tasks, when the log was last told

local function safely(what, object, fn, ...)
  local ok, err = xpcall(fn, traceback, ...)
  if not ok then
    log.error(("%s of %s failed: %s"):format(what, tostring(object), tostring(err)))
  end
end

-- Calls a handler of each object that has it.
local function each(generation, what, name)
  for _, entry in pairs(generation.objects) do
    if entry.handlers[name] then
      safely(what, entry.object, entry.handlers[name], entry.object, generation.registrations[entry.object])
    end
  end
end

local function drop_objects(objects, old, new)
  for key, entry in pairs(old.objects) do
    if not new.objects[key] then
      objects[key] = nil
      local level = entry.object.port and "info" or "debug"
      log[level](("%s is not in the new code: it is closed"):format(tostring(entry.object)))
      safely("closing", entry.object, entry.handlers.drop, entry.object)
    end
  end
end

local function retire(old)
  local timers = old.timers
  old.timers = {}
  for timer in pairs(timers) do
    timer:cancel()
  end
  for _, fn in ipairs(old.unload) do
    runtime.apart(tasks.as(old, fn))
  end
  old.unload = {}
end

local function warn_of_waiting()
  local count, oldest = tasks.waiting()
  if count < TOO_MANY then
    told_of = 0
  elseif count >= 2 * told_of then
    told_of = count
    local text = "tasks of %d old generations wait still, the oldest of generation %d: what repeats belongs in "
      .. "painda.every, which ends with its code"
    log.warn(text:format(count, oldest))
  end
end

-- `new` serves from here on in the place of `old`; `objects` are those that outlive generations. First all are given
-- what the new code says of them, then the clients are told: no code runs while one half is old.
function _M.commit(objects, old, new)
  jit.flush()
  for key, entry in pairs(new.objects) do
    objects[key] = entry.object
  end
  each(new, "taking over", "apply")
  retire(old)
  each(new, "telling the clients", "reopen")
  drop_objects(objects, old, new)
  each(new, "beginning", "begin")
  for _, start in ipairs(new.started) do
    start()
  end
  new.started = {}
  warn_of_waiting()
end

-- `new` will not serve: what it opened is closed, and nothing of it goes on.
function _M.abandon(new)
  for key, object in pairs(new.opened) do
    safely("undoing", object, new.objects[key].handlers.undo, object)
  end
  retire(new)
  tasks.drop(new)
end

return _M
