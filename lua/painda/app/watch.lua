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
local names = {} -- set of the names, within their folders, of files and folders: events tell no more
local quiet, missing
local first -- when the first event came that was not looked at

local function directory_of(path)
  local directory = path:match "^(.*)/[^/]*$" or "."
  return directory == "" and "/" or directory
end

local function name_of(path)
  return path:match "[^/]*$"
end

local function look()
  first = nil
  _M.refresh()
  _M.on_change(true)
end

-- Only what may be code counts: a log or a database beside it may change all the time.
local function on_event(name)
  if name and not names[name] and not name:find "%.lua$" then
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
  local status = real and files.status(real)
  local id = status and status.id
  local old = watches[directory]
  if old and id and old.id == id then
    return true
  end
  if old then
    old.handle:stop()
    watches[directory] = nil
  end
  if not id then
    return false
  end
  local entry, own_name = { id = id }, name_of(directory)
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

-- Adds the links on the way to a path to `found`, its folders' too: each may be made to lead elsewhere.
local function find_links(path, found)
  for stop in (path .. "/"):gmatch "()/" do
    local way = path:sub(1, stop - 1)
    local target = not found[way] and files.target(way)
    if target then
      found[way] = true
      find_links(target:find "^/" and target or directory_of(way) .. "/" .. target, found)
    end
  end
end

-- The folders to watch: those of the files, of what these are links to, and of links on the way. Notes the names that
-- matter.
local function folders()
  local wanted, links = {}, {}
  names = {}
  local function add(path)
    wanted[directory_of(path)] = true
    names[name_of(path)] = true
  end
  for path in pairs(_M.files()) do
    add(path)
    add(files.real(path) or path)
    find_links(path, links)
  end
  for path in pairs(links) do
    add(path)
  end
  for directory in pairs(wanted) do
    names[name_of(directory)] = true -- a folder that is watched tells of its own end
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
