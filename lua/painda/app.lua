-- Loading an application: its main file and the modules beside it, in an environment of their generation.

local reload = require "painda.reload"
local log = require "painda.log"
local runtime = require "painda.core.runtime"

local ipairs, pairs, error, setfenv, loadfile, pcall = ipairs, pairs, error, setfenv, loadfile, pcall
local open = io.open

local DEBOUNCE = 60 -- ms of quiet after a change: editors write in several steps

local _M = {
  path = nil, -- the main file
  directory = ".", -- its folder: modules and static files are found relative to it
  files = {}, -- path → content it was loaded from
}

local baseline -- the modules that belong to the runtime

local function read(path)
  local file = open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

-- Loads a chunk into the environment of the generation. A syntax error is raised as {syntax = text}: it needs no
-- traceback.
local function load_chunk(generation, path)
  local chunk, err = loadfile(path)
  if not chunk then
    error({ syntax = err }, 0)
  end
  generation.modules[path] = read(path)
  return setfenv(chunk, generation.env)
end

local function find_module(name)
  local relative = name:gsub("%.", "/")
  for _, pattern in ipairs { "/%s.lua", "/%s/init.lua" } do
    local path = _M.directory .. pattern:format(relative)
    local file = open(path, "rb")
    if file then
      file:close()
      return path
    end
  end
end

-- A searcher of package.loaders: the application's own modules come before those installed on the system.
local function searcher(name)
  local path = find_module(name)
  if not path then
    return ("\n\tno file %s/%s.lua"):format(_M.directory, (name:gsub("%.", "/")))
  end
  return load_chunk(reload.generation(), path)
end

local function application_modules()
  local modules = {}
  for name, module in pairs(package.loaded) do
    if not baseline[name] and not name:find("^painda%f[%W]") then
      modules[name] = module
    end
  end
  return modules
end

local function load_generation(generation)
  local chunk = load_chunk(generation, _M.path)
  chunk(_M.path)
end

-- Loads the application as a new generation. True, or nil and the error.
local function load()
  local old = application_modules()
  for name in pairs(old) do
    package.loaded[name] = nil
  end
  local files
  local ok, err = reload.run(function(generation)
    files = generation.modules
    load_generation(generation)
  end)
  if not ok then
    for name in pairs(application_modules()) do
      package.loaded[name] = nil
    end
    for name, module in pairs(old) do
      package.loaded[name] = module
    end
    for path, text in pairs(files) do -- what was read and found broken is not tried again until it changes
      _M.files[path] = text
    end
    return nil, err
  end
  _M.files = files
  return ok, err
end

local busy, again = false, false
local broken = false -- the last version could not be loaded
local missed = false -- since then code has changed that it may have waited for

-- Loads the application again; a reload asked for meanwhile follows it. True where the new code serves.
function _M.reload()
  if busy then
    again = true
    return nil, "a reload is under way"
  end
  busy, missed = true, false
  local ok, err = load()
  busy, broken = false, not ok
  if ok then
    log.info("reloaded", { generation = err })
  else
    log.error("reload failed, the old code goes on: " .. err)
  end
  _M.watch_again()
  if again then
    again = false
    return _M.reload()
  end
  return ok, err
end

-- Loads the application for the first time. Raises nothing: true, or nil and the error.
function _M.start(path)
  baseline = {}
  for name in pairs(package.loaded) do
    baseline[name] = true
  end
  _M.path = path
  _M.directory = path:match("^(.*)/[^/]*$") or "."
  table.insert(package.loaders, 2, searcher)
  return load()
end

local watches, debounce = {}, nil

local function changed()
  for path, text in pairs(_M.files) do
    local now = read(path)
    if now and now ~= text then
      return true
    end
  end
  return false
end

local function is_loaded(name)
  for path in pairs(_M.files) do
    if path:match "[^/]*$" == name then
      return true
    end
  end
  return false
end

-- Only what may be code counts: a log or a database beside it may change all the time.
local function on_change(name)
  local is_lua = name and name:find "%.lua$"
  if name and not is_lua and not is_loaded(name) then
    return
  end
  debounce = debounce
    or runtime.timer(function()
      if changed() or missed then
        _M.reload()
      end
    end)
  missed = missed or broken and is_lua -- it may be the module that was not found
  debounce:start(DEBOUNCE)
end

-- Watches the folders of the files that the application was loaded from.
function _M.watch_again()
  if not _M.watching then
    return
  end
  for path in pairs(_M.files) do
    local directory = path:match("^(.*)/[^/]*$") or "."
    if not watches[directory] then
      local watch, err = runtime.watch(directory, on_change)
      if watch then
        watches[directory] = watch
      else
        log.warn(err)
      end
    end
  end
end

function _M.watch()
  _M.watching = true
  _M.watch_again()
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
