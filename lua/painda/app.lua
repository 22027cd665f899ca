-- The application that `painda run` serves: loading it, loading it again, and going back to the version before.
--
--   version = { number, files }      files: path → text that it was loaded from

local reload = require "painda.reload"
local loader = require "painda.app.loader"
local runtime = require "painda.core.runtime"
local log = require "painda.log"
local supervisor = require "painda.core.supervisor"
local task = require "painda.task"
local watch = require "painda.app.watch"

local pairs, pcall, loadfile = pairs, pcall, loadfile
local insert, remove = table.insert, table.remove

local KEPT = 8 -- versions that can be gone back to
local TRIES = 4 -- loads of files that change while they are loaded
local PAUSE = 50 -- ms between them

local _M = {
  path = nil, -- the main file
  directory = ".", -- its folder: modules and static files are found relative to it
  limit = 30000, -- ms that loading a version may take
  stopping = false, -- the process ends: nothing is loaded any more
}

local versions = {} -- the one that serves is the last
local seen = {} -- path → text as last found on the disk: what differs from it has changed

-- Notes what the disk has: for files that were loaded from there, what was loaded.
local function note_seen(files, ok, from_disk)
  local before = seen
  seen = ok and {} or before
  for path, text in pairs(files or {}) do
    seen[path] = from_disk and text or loader.read(path) or text
  end
end

-- Was the generation loaded from what the files hold now? Else some were read before a save and some after it.
local function is_consistent(files)
  for path, text in pairs(files) do
    if (loader.read(path) or text) ~= text then
      return false
    end
  end
  return true
end

local function are_same(files, others)
  for path, text in pairs(files) do
    if others[path] ~= text then
      return false
    end
  end
  for path in pairs(others) do
    if not files[path] then
      return false
    end
  end
  return true
end

-- A version serves, as generation `number`. One that was loaded again without a change is what it was: nobody who goes
-- back from a version wants the same.
local function note_version(number, files)
  local last = versions[#versions]
  if last and are_same(last.files, files) then
    remove(versions)
  end
  insert(versions, { number = number, files = files })
  if #versions > KEPT then
    remove(versions, 1)
  end
end

-- Loads the application as a new generation, from the texts of `given` where there are such. True and the number, or
-- nil, the error, and whether to try again.
local function load(given, patient)
  local files, changed
  local compiled = {}
  local is_first = #versions == 0
  if not is_first then
    supervisor.reloading()
    compiled = loader.compile_ahead(seen, given)
  end
  local compiling = not is_first and jit.status()
  if compiling then
    jit.off() -- a compiled loop can't be ended by handlerTimeout
  end
  local ok, err = reload.run(function(generation)
    files = generation.modules
    loader.prepare(generation, given, compiled)
    loader.chunk(generation, _M.path)(_M.path)
    changed = not given and not is_consistent(files)
    if _M.stopping then
      error({ syntax = "the process is shutting down" }, 0)
    elseif changed and patient then
      error({ syntax = "its files change while they are loaded" }, 0)
    end
  end, _M.limit)
  if compiling then
    jit.on()
  end
  if ok then
    if given then -- the version that is left, and the one gone back to, which is noted anew
      remove(versions)
      remove(versions)
    end
    note_version(err, files)
  end
  note_seen(files, ok, not given) -- also where it failed: what is broken is not tried again until it changes
  return ok, err, changed
end

local busy, again = false, false
local broken = false -- the last version could not be loaded
local missed = false -- since then code has changed that it may have waited for

local function begin()
  if _M.stopping then
    return nil, "the process is shutting down"
  elseif not _M.path then
    return nil, "no application runs (painda run APP): there is nothing to load again"
  elseif busy then
    return nil, "a reload is under way"
  end
  busy, missed = true, false
  return true
end

-- Is a version being loaded?
function _M.is_busy()
  return busy
end

local function load_patiently()
  for try = 1, TRIES do
    local ok, err, changed = load(nil, try < TRIES)
    if ok or not changed or _M.stopping then
      return ok, err
    end
    task.sleep(PAUSE)
  end
end

local function finish(ok)
  busy, broken = false, not ok
  supervisor.ready(reload.current.number)
  if _M.watching then
    watch.refresh()
  end
end

-- Loads the application again; a reload asked for meanwhile follows it. True and the number where the new code serves.
function _M.reload()
  local ready, why = begin()
  if not ready then
    again = again or busy
    return nil, why
  end
  local ok, err = load_patiently()
  if ok then
    reload.counts.done = reload.counts.done + 1
    log.info("reloaded", { generation = err })
  else
    reload.counts.failed = reload.counts.failed + 1
    log.error("reload failed, the old code goes on: " .. err, { generation = reload.current.number })
  end
  finish(ok)
  if again then
    again = false
    return _M.reload()
  end
  return ok, err
end

-- Goes back to the version that served before the one that serves, as a new generation. True and the number, or nil and
-- why not.
function _M.rollback()
  local before = versions[#versions - 1]
  local ready, why = begin()
  if not ready then
    return nil, why
  elseif not before then
    busy = false
    return nil, "there is no version before this one"
  end
  local ok, err = load(before.files, false)
  if ok then
    reload.counts.rolled_back = reload.counts.rolled_back + 1
    log.warn("rolled back", { generation = err, to = before.number })
  else
    reload.counts.failed = reload.counts.failed + 1
    log.error("rollback failed, the code goes on: " .. err, { generation = reload.current.number })
  end
  finish(ok)
  again = false -- a reload that was asked for meanwhile would take it back
  return ok, err
end

-- Loads the application for the first time. Raises nothing: true, or nil and the error.
function _M.start(path)
  _M.path = path
  _M.directory = path:match("^(.*)/[^/]*$") or "."
  loader.directory = _M.directory
  insert(package.loaders, 2, loader.searcher)
  loader.searchers = #package.loaders
  busy = true
  local ok, err = load()
  busy = false
  if ok and again then
    again = false
    _M.reload()
  end
  return ok, err
end

-- --- watching ---

local function has_changed()
  for path, text in pairs(seen) do
    local now = loader.read(path)
    if now and now ~= text then
      return true
    end
  end
  return false
end

local function on_change(saved)
  missed = missed or saved and broken -- it may be the module that was not found
  if has_changed() or missed then
    _M.reload()
  end
end

-- Loads it again whenever one of its files changes.
function _M.watch()
  _M.watching = true
  watch.on_change = on_change
  function watch.files()
    return seen
  end
  function loader.on_loaded(path) -- what is required later, by a handler
    if not busy and not seen[path] then
      seen[path] = loader.read(path)
      watch.refresh()
    end
  end
  watch.refresh()
  runtime.spawn(on_change, false) -- what was saved before it was watched, as while it was loaded
end

-- Does the file compile? nil, or what is wrong with it.
function _M.check(path)
  local ok, err = pcall(function()
    local chunk, wrong = loadfile(path)
    return not chunk and wrong or nil
  end)
  return ok and err or (not ok and err) or nil
end

return _M
