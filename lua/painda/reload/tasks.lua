-- Which generation the running code belongs to, told by its coroutine. Tasks of the code that serves are not noted: at
-- the swap all that wait become the old generation's, and finish as such.

local runtime = require "painda.core.runtime"

local running, status = coroutine.running, coroutine.status
local setmetatable, ipairs, next = setmetatable, ipairs, next

local _M = {}

-- Ids, not generations, are noted under a coroutine: a generation's code may hold its coroutines, and the collector
-- would never free such a circle.
local id_of = setmetatable({}, { __mode = "k" })
local by_id = setmetatable({}, { __mode = "v" })
local ids = 0

-- In place of a generation that nothing holds any more but a coroutine without code of its own.
local LOST = { number = 0, stage = "retired", registrations = {}, objects = {}, opened = {}, timers = {}, unload = {} }

function _M.register(generation)
  ids = ids + 1
  generation.id = ids
  by_id[ids] = generation
end

-- The generation that the running coroutine is noted for, or nil.
function _M.generation()
  local thread = running()
  local id = thread and id_of[thread]
  return id and (by_id[id] or LOST)
end

-- The same of another coroutine.
function _M.of(thread)
  local id = id_of[thread]
  return id and (by_id[id] or LOST)
end

-- From here on the running coroutine belongs to the generation; nil: to the code that serves.
function _M.enter(generation)
  id_of[running()] = generation and generation.id
end

-- fn, to be called on a task of its own that belongs to the generation.
function _M.as(generation, fn)
  local id = generation.id
  return function(...)
    local thread = running()
    id_of[thread] = id
    fn(...)
    id_of[thread] = nil -- the thread is used again
  end
end

-- fn, to be the body of a coroutine that belongs to the generation.
function _M.body(generation, fn)
  local id = generation.id
  return function(...)
    id_of[running()] = id
    return fn(...)
  end
end

-- Every task that waits, and is not noted yet, belongs to the generation.
function _M.retire(generation)
  for _, thread in ipairs(runtime.retire_tasks()) do
    id_of[thread] = id_of[thread] or generation.id
  end
end

-- The tasks of the generation that wait do not go on. A coroutine of the application's own is nobody's to end.
function _M.drop(generation)
  for thread, id in next, id_of do
    if id == generation.id and status(thread) == "suspended" then
      runtime.drop_task(thread)
    end
  end
end

-- The generation of that number, while something holds it.
function _M.numbered(number)
  for _, generation in next, by_id do
    if generation.number == number then
      return generation
    end
  end
end

-- How many generations something holds still: their code, or a coroutine of it. Exact after a full collection,
-- which follows each swap in idle time.
function _M.alive()
  local count = 0
  for _ in next, by_id do
    count = count + 1
  end
  return count
end

-- The number of generations that have waiting tasks, and the number of the oldest of them.
function _M.waiting()
  local seen, count, oldest = {}, 0, nil
  for thread, id in next, id_of do
    local generation = by_id[id]
    if generation and generation.stage == "retired" and not seen[id] and status(thread) == "suspended" then
      seen[id] = true
      count = count + 1
      oldest = (not oldest or generation.number < oldest) and generation.number or oldest
    end
  end
  return count, oldest
end

return _M
