-- Watching the files that an application was loaded from. Folders are watched, not files: editors put a new file in the
-- place of the old one. What has changed is told by content.

local files = require "painda.core.files"
local log = require "painda.log"
local runtime = require "painda.core.runtime"

local pairs, next = pairs, next

local QUIET = 60 -- ms without an event before it is looked at: editors write in several steps
local LATEST = 1000 -- ms after the first event when it is looked at though they go on
local MISSING = 500 -- ms between looks for a folder that has gone

local _M = {
  files = nil, -- function that returns path → text, as last seen
  on_change = nil, -- function(saved) for when events have calmed down; `saved` is false where nothing was saved
}

local watches = {} -- directory → { handle, id }
local quiet, missing
local first -- when the first event came that was not looked at

local function directory_of(path)
  return path:match "^(.*)/[^/]*$" or "."
end

local function is_loaded(name)
  for path in pairs(_M.files()) do
    if path:match "[^/]*$" == name then
      return true
    end
  end
  return false
end

-- Is it a folder's name? A folder that is watched tells of its own end.
local function is_folder(name)
  for directory in pairs(watches) do
    if directory:match "[^/]*$" == name then
      return true
    end
  end
  return false
end

local function look()
  first = nil
  _M.refresh()
  _M.on_change(true)
end

-- Only what may be code counts: a log or a database beside it may change all the time.
local function on_event(name)
  if name and not name:find "%.lua$" and not is_loaded(name) and not is_folder(name) then
    return
  end
  local now = runtime.now()
  first = first or now
  quiet = quiet or runtime.timer(look)
  local left = first + LATEST - now
  quiet:start(left < QUIET and (left > 0 and left or 0) or QUIET)
end

local function watch(directory)
  local real = files.real(directory)
  local id = real and files.status(real).id
  local old = watches[directory]
  if old and real and old.id == id then
    return true
  end
  if old then
    old.handle:stop()
    watches[directory] = nil
  end
  if not real then
    return false
  end
  local entry, own_name = { id = id }, directory:match "[^/]*$"
  local handle, err = runtime.watch(directory, function(name)
    if name == own_name then -- it has gone; another may be there at once, even with the same id
      entry.id = nil
    end
    on_event(name)
  end)
  if handle then
    entry.handle = handle
    watches[directory] = entry
  else
    log.warn(err)
  end
  return true
end

-- The folders to watch: those of the files, and of what these are links to.
local function folders()
  local wanted = {}
  for path in pairs(_M.files()) do
    wanted[directory_of(path)] = true
    local real = files.real(path)
    if real then
      wanted[directory_of(real)] = true
    end
  end
  return wanted
end

-- Watches what is to be watched now. A folder that has gone is looked for until it is back.
function _M.refresh()
  local wanted, gone = folders(), false
  for directory in pairs(wanted) do
    gone = not watch(directory) or gone
  end
  for directory, entry in next, watches do
    if not wanted[directory] then
      entry.handle:stop()
      watches[directory] = nil
    end
  end
  if gone then
    missing = missing or runtime.timer(function()
      _M.refresh()
      _M.on_change(false)
    end)
    missing:start(MISSING)
  end
end

return _M
