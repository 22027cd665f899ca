-- Generations: everything an application registers belongs to the generation that was being loaded when it did. A
-- reload builds the next generation beside the running one and swaps it in at once; what fails while loading changes
-- nothing.
--
--   generation = { number, env, registrations = { [owner] = table }, objects = { [key] = object }, timers, unload }
--
-- Owners (servers, HTTP servers) read their registrations from a field of their own, so the swap is one assignment
-- for each, which compiled traces always see.

local runtime = require "painda.core.runtime"
local Error = require "painda.error"
local explain = require "painda.explain"
local faults = require "painda.faults"
local log = require "painda.log"
local swap = require "painda.reload.swap"
local task = require "painda.task"
local tasks = require "painda.reload.tasks"

local setmetatable, pairs, ipairs, xpcall = setmetatable, pairs, ipairs, xpcall
local traceback, getinfo, type, error, tostring, next = debug.traceback, debug.getinfo, type, error, tostring, next

local _M = {
  current = nil, -- the generation that serves
  objects = {}, -- key → what outlives generations: servers by their port
  states = {}, -- name → table of painda.state
  counts = { done = 0, failed = 0, rolled_back = 0 },
}

local numbers = 0 -- of the last that served
local staged -- the generation that is being loaded

local function new_generation(number)
  local generation = {
    number = number,
    stage = "loading", -- then "serving", then "retired"; or "dropped"
    registrations = {},
    objects = {},
    opened = {},
    timers = {},
    started = {},
    states = {},
    unload = {},
    modules = {},
  }
  tasks.register(generation)
  -- The code of a generation holds it, and nothing else does: it lives as long as its code.
  generation.env = setmetatable({}, { __index = _G, generation = generation })
  generation.env._G = generation.env
  return generation
end

_M.current = new_generation(0) -- what runs before an application is loaded
_M.current.stage = "serving"

-- The generation that the running code belongs to.
function _M.generation()
  return tasks.generation() or _M.current
end

-- The generation to which things are added that outlive it.
local function owner()
  local generation = _M.generation()
  if generation.stage == "dropped" then
    error("this version of the application was given up: it can open nothing any more", 0)
  end
  return generation.stage == "retired" and _M.current or generation
end

-- fn, to be called on a task of its own that belongs to the running code's generation, whenever that serves.
function _M.inherit(fn)
  local generation = _M.generation()
  if generation == _M.current then
    return fn
  end
  return tasks.as(generation, fn)
end

function _M.is_loading()
  local generation = tasks.generation()
  return generation ~= nil and generation.stage == "loading"
end

-- Does another generation serve than that of the running code? What it registers has no effect then.
function _M.is_retired()
  local generation = tasks.generation()
  return generation ~= nil and generation.stage ~= "serving" and generation.stage ~= "loading"
end

-- What lives longer than a generation. Where `key` exists it is returned; else make() makes it, and undo(object)
-- takes it back where the generation that asked for it is never committed. `apply(object, registrations)` is called
-- at the commit; then, where there are such, reopen(object) for one that is not new, and begin(object), each for all
-- objects before the next. None may fail; what may is prepare(object, registrations), where there is one: it is called
-- when all is loaded, and where it raises the generation is not committed. `registrations` is the table of this
-- generation for the object, made by fresh().
function _M.object(key, handlers)
  local generation = owner()
  local object = _M.objects[key] or generation.opened[key]
  if not object then
    local made, err = handlers.make()
    if not made then
      return nil, err
    end
    object = made
    generation.opened[key] = object
    if generation == _M.current then
      _M.objects[key] = object
    end
  end
  generation.objects[key] = { object = object, handlers = handlers }
  if not generation.registrations[object] then
    generation.registrations[object] = handlers.fresh(object, generation)
    if generation == _M.current then
      handlers.apply(object, generation.registrations[object])
      if handlers.begin then
        handlers.begin(object)
      end
    end
  end
  return object
end

-- A key for one of several objects that `name` alone does not tell apart, such as servers on any free port: the running
-- code's first gets the first again in the next generation.
function _M.numbered_key(name)
  local generation, n = _M.generation(), 1
  while generation.objects[name .. "#" .. n] do
    n = n + 1
  end
  return name .. "#" .. n
end

-- The table into which the running code registers for the object.
function _M.registrations(object)
  local generation = _M.generation()
  return generation.registrations[object] or _M.current.registrations[object]
end

-- The same, to add to. Raises at `level` (2: the caller's caller) where the object was closed.
function _M.registering(object, level)
  if type(object) ~= "table" then
    error(("a method was given a %s in the place of its object: call it with a colon"):format(type(object)), level + 1)
  end
  local registrations = _M.registrations(object)
  if not registrations then
    error(("%s is closed: nothing can be registered with it"):format(tostring(object)), level + 1)
  end
  return registrations
end

-- The key under which an object is known, or nil. A client is its own: there may be thousands of them.
local function key_of(object)
  if _M.objects[object] then
    return object
  end
  for _, generation in ipairs { _M.current, _M.generation() } do
    if generation.objects[object] then
      return object
    end
    for key, entry in pairs(generation.objects) do
      if entry.object == object then
        return key
      end
    end
  end
end

-- Forgets an object that was closed, so that its key can be used again.
function _M.forget(object)
  local key = key_of(object)
  if key == nil then
    return
  end
  _M.objects[key] = nil
  for _, generation in ipairs { _M.current, _M.generation() } do
    generation.registrations[object] = nil
    generation.objects[key] = nil
    generation.opened[key] = nil
  end
end

-- Calls fn when the running code's generation is replaced, or given up.
function _M.on_unload(fn)
  if type(fn) ~= "function" then
    error(("painda.on_unload takes a function, not a %s"):format(type(fn)), 2)
  end
  local unload = _M.generation().unload
  unload[#unload + 1] = fn
end

-- A timer of the running code's generation: it ends with it, and starts to run once its generation serves. That of code
-- which was replaced never runs.
function _M.own_timer(timer, start)
  local generation = _M.generation()
  generation.timers[timer] = true
  timer.generation = generation
  if generation.stage == "loading" then
    generation.started[#generation.started + 1] = start
  elseif generation.stage == "serving" then
    start()
  else
    timer:cancel()
  end
end

function _M.disown_timer(timer)
  timer.generation.timers[timer] = nil
end

-- A table that is made once and stays through every reload.
function _M.state(name, init)
  if type(name) ~= "string" or name == "" then
    error("painda.state takes a name, a string that is not empty", 2)
  end
  local generation = _M.generation()
  local states = generation.stage == "loading" and generation.states or _M.states
  local value = _M.states[name]
  if value == nil then
    value = states[name]
  end
  if value == nil then
    value = init
    if type(init) == "function" then
      value = init()
    end
    if value == nil then
      value = {}
    end
    states[name] = value
  end
  return value
end

-- --- loading one ---

local function commit(new)
  local old = _M.current
  tasks.retire(old)
  old.stage, new.stage = "retired", "serving"
  _M.current, numbers, runtime.committed = new, new.number, new.number
  for name, value in pairs(new.states) do
    _M.states[name] = value
  end
  new.states = {}
  swap.commit(_M.objects, old, new)
  runtime.collect_idly() -- the old code is large, and counts as alive until then
end

local function abandon(new)
  new.stage = "dropped"
  swap.abandon(new)
end

-- A failure as text. That of a module that was being required has kept where it was raised.
local function describer(new)
  return function(raised)
    local failure = new.failure
    if type(raised) == "table" and (raised.syntax or raised.plain) then
      new.error = raised.syntax or Error.report(raised)
    else
      local trace = failure and failure.raised == raised and failure.trace or traceback(Error.report(raised), 2)
      new.error = explain.with_source(trace, new.modules)
    end
    return new.error
  end
end

local function prepare(new)
  for _, entry in pairs(new.objects) do
    if entry.handlers.prepare then
      entry.handlers.prepare(entry.object, new.registrations[entry.object])
    end
  end
end

-- Loads on a task that the loop begins, so that no other code of the application is in the middle of anything at the
-- swap.
local function stage(new, load, done)
  local go = task.waiter()
  runtime.spawn(function()
    go:wait()
    new.thread = coroutine.running()
    tasks.enter(new)
    -- handlerTimeout ends a task wherever it is, also behind an xpcall
    faults.expect(new.thread, function(raised, thread)
      new.thread = nil
      abandon(new)
      done:wake(false, new.error or traceback(thread, Error.report(raised)))
    end)
    local describe = describer(new)
    local ok, err = xpcall(load, describe, new)
    if ok then
      ok, err = xpcall(prepare, describe, new)
    end
    tasks.enter(nil)
    faults.expect(new.thread, nil)
    new.thread = nil
    if ok then
      runtime.apart(commit, new) -- however long loading took, handlerTimeout does not end it
    else
      abandon(new)
    end
    done:wake(ok, err)
  end)
  go:wake()
end

-- Where the task that loads a generation waits, as text that goes on in its traceback.
local function place_of_waiting(new)
  local thread, level = new.thread, 0
  while thread do
    local info = getinfo(thread, level, "Sl")
    if not info then
      break
    elseif new.modules[info.source:sub(2)] then
      return (" at %s:%d\n%s"):format(info.short_src, info.currentline, traceback(thread))
    end
    level = level + 1
  end
  return thread and "\n" .. traceback(thread) or ""
end

-- Runs load(generation) and swaps the generation in where it returns; where it raises, or takes more than `limit` ms
-- (may be nil), undoes what it opened. To be called on a task: loading may wait. Returns true and the number, or nil
-- and the error with its traceback.
function _M.run(load, limit)
  if staged then
    return nil, "a reload is under way"
  end
  local new, done = new_generation(numbers + 1), task.waiter()
  local caller = tasks.generation()
  staged = new
  stage(new, load, done)
  local ok, err = done:wait(limit, true)
  staged = nil
  tasks.enter(caller) -- the swap took it for old code that waits
  if ok or new.stage == "serving" then -- it may serve since this turn, in which its time was up as well
    return true, new.number
  end
  if new.stage == "loading" then
    new.error = ("it was not loaded within %d ms, and waits%s"):format(limit, place_of_waiting(new))
    abandon(new)
  end
  return nil, new.error or err
end

-- Adds what there is to know of generations to a table of statistics.
function _M.add_stats(stats)
  local counts = _M.counts
  stats.generation = _M.current.number
  stats.generationsAlive = tasks.alive()
  stats.reloads, stats.reloadsFailed, stats.rollbacks = counts.done, counts.failed, counts.rolled_back
end

-- Calls replace(), which may replace the running code; what follows still belongs to that. Raises, at the line that
-- asked for it, in code that is being loaded.
function _M.as_before(replace)
  local generation = _M.generation()
  if generation.stage == "loading" then
    error("code that is being loaded can't have the application loaded again: it would never end", 2)
  end
  task.waiter():wait(0, true) -- raises where the caller can't wait, before anything has begun
  local ok, err = replace()
  if generation.stage == "retired" then
    tasks.enter(generation)
  end
  return ok, err
end

-- What a generation that is still there was loaded from.
function log._explain(text, number)
  local generation = number and tasks.numbered(number) or staged or _M.current
  return explain.with_source(explain.with_hint(text), generation.modules)
end

-- True where nothing holds the process: no server, no timer.
function _M.is_empty()
  return next(_M.objects) == nil and next(_M.current.timers) == nil
end

return _M
