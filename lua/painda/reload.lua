-- Generations: everything an application registers belongs to the generation that was being loaded when it did. A
-- reload builds the next generation beside the running one and swaps it in at once; what fails while loading changes
-- nothing.
--
--   generation = { number, env, registrations = { [owner] = table }, objects = { [key] = object }, timers, unload }
--
-- Owners (servers, HTTP servers) read their registrations from a field of their own, so the swap is one assignment
-- for each, which compiled traces always see.

local runtime = require "painda.core.runtime"
local log = require "painda.log"

local running, setmetatable, pairs, ipairs = coroutine.running, setmetatable, pairs, ipairs
local xpcall, traceback, type, error, tostring, next = xpcall, debug.traceback, type, error, tostring, next

local _M = {
  current = nil, -- the generation that serves
  objects = {}, -- key → what outlives generations: servers by their port
  states = {}, -- name → table of painda.state
}

local generation_of = setmetatable({}, { __mode = "k" }) -- the coroutines that load a generation
local numbers = 0

local function new_generation()
  numbers = numbers + 1
  local generation = {
    number = numbers,
    registrations = {},
    objects = {},
    opened = {},
    timers = {},
    started = {},
    unload = {},
    modules = {},
  }
  generation.env = setmetatable({}, { __index = _G })
  generation.env._G = generation.env
  return generation
end

_M.current = new_generation() -- what runs before an application is loaded: number 0
_M.current.number, numbers = 0, 0

-- The generation that the running code registers into.
function _M.generation()
  local thread = running()
  return thread and generation_of[thread] or _M.current
end

-- fn, to be called on a task of its own that belongs to the running code's generation, whenever that serves.
function _M.inherit(fn)
  local generation = _M.generation()
  if generation == _M.current then
    return fn
  end
  return function(...)
    local thread = running()
    generation_of[thread] = generation
    fn(...)
    generation_of[thread] = nil -- the thread is used again
  end
end

function _M.is_loading()
  return _M.generation() ~= _M.current
end

-- What lives longer than a generation. Where `key` exists it is returned; else make() makes it, and undo(object)
-- takes it back where the generation that asked for it is never committed. `apply(object, registrations)` is called
-- at the commit, and begin(object), where there is one, once all objects of the generation were applied.
-- `registrations` is the table of this generation for the object, made by fresh().
function _M.object(key, handlers)
  local generation = _M.generation()
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
    generation.registrations[object] = handlers.fresh(object)
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

-- Calls fn when the running code's generation is replaced.
function _M.on_unload(fn)
  local unload = _M.generation().unload
  unload[#unload + 1] = fn
end

-- A timer of the running code's generation: it ends with it, and starts to run once its generation serves.
function _M.own_timer(timer, start)
  local generation = _M.generation()
  generation.timers[timer] = true
  timer.generation = generation
  if generation == _M.current then
    start()
  else
    generation.started[#generation.started + 1] = start
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
  if _M.states[name] == nil then
    local value = init
    if type(init) == "function" then
      value = init()
    end
    _M.states[name] = value == nil and {} or value
  end
  return _M.states[name]
end

local function retire(old)
  local timers = old.timers
  old.timers = {}
  for timer in pairs(timers) do
    timer:cancel()
  end
  for _, fn in ipairs(old.unload) do
    local ok, err = xpcall(fn, traceback)
    if not ok then
      log.error("unloading failed: " .. tostring(err), { generation = old.number })
    end
  end
end

local function commit(new)
  local old = _M.current
  _M.current = new
  for key, entry in pairs(new.objects) do
    _M.objects[key] = entry.object
    entry.handlers.apply(entry.object, new.registrations[entry.object])
  end
  for key, entry in pairs(old.objects) do
    if not new.objects[key] then
      _M.objects[key] = nil
      entry.handlers.drop(entry.object)
    end
  end
  retire(old)
  for _, entry in pairs(new.objects) do
    if entry.handlers.begin then
      entry.handlers.begin(entry.object)
    end
  end
  for _, start in ipairs(new.started) do
    start()
  end
  new.started = {}
  jit.flush()
  runtime.committed = new.number
end

local function abandon(new)
  for key, object in pairs(new.opened) do
    new.objects[key].handlers.undo(object)
  end
  retire(new)
end

-- Runs load(generation) and swaps the generation in where it returns; where it raises, undoes what it opened. To be
-- called on a task: loading may wait. Returns true and the number, or nil and the error with its traceback.
function _M.run(load)
  local new = new_generation()
  local thread = running()
  generation_of[thread] = new
  local ok, err = xpcall(load, function(raised)
    if type(raised) == "table" and (raised.syntax or raised.plain) then
      return raised.syntax or tostring(raised)
    end
    return traceback(tostring(raised), 2)
  end, new)
  generation_of[thread] = nil
  if ok then
    commit(new)
    return true, new.number
  end
  abandon(new)
  numbers = numbers - 1
  return nil, err
end

-- True where nothing holds the process: no server, no timer.
function _M.is_empty()
  return next(_M.objects) == nil and next(_M.current.timers) == nil
end

return _M
