-- How the code of an application is loaded: into an environment of its generation, with modules of its own. What the
-- generation was loaded from is kept in generation.modules, path → text: to watch it, and to load it again.
--
-- Modules of the application are those beside its main file, and what `package.path` leads to by a relative path, or by
-- one that the application itself has put there. Any other is the system's: it is loaded once and stays.

local compiler = require "painda.core.compiler"
local files = require "painda.core.files"
local options = require "painda.options"
local reload = require "painda.reload"
local syntax = require "painda.app.syntax"
local task = require "painda.task"
local tasks = require "painda.reload.tasks"

local ipairs, pairs, type, error, xpcall = ipairs, pairs, type, error, xpcall
local setmetatable, rawget = setmetatable, rawget
local loadstring, setfenv, tostring, concat, traceback = loadstring, setfenv, tostring, table.concat, debug.traceback
local open, system_require, base_package, load, loadfile = io.open, require, package, load, loadfile
local searchpath = package.searchpath
local create, wrap, dump = coroutine.create, coroutine.wrap, string.dump

local _M = {
  directory = ".", -- of the main file
  searchers = 0, -- how many package.loaders has, ours with them; an application may add some
  on_loaded = function() end, -- is told each path that is loaded
}

local system_path = {} -- set of the templates that package.path had at the start

for template in base_package.path:gmatch "[^;]+" do
  system_path[template] = true
end

-- The content of a file, or nil and why not.
function _M.read(path)
  local file, err = open(path, "rb")
  if not file then
    return nil, err
  end
  local text, why = file:read "*a"
  file:close()
  return text, why and ("%s: %s"):format(path, why)
end

-- --- chunks ---

-- The text of a file for a generation: what it is to be loaded from again, or what the file has now.
local function text_of(generation, path)
  local text = generation.given and generation.given[path]
  local err
  if not text then
    text, err = _M.read(path)
  end
  local before = reload.current.modules[path]
  if text and before and before:find "%S" and not text:find "%S" then
    return nil, path .. ": the file is empty, as one is that is being written"
  end
  return text, err
end

-- What is compiled of a path with that text: { text, code }, or { text, wrong } where it does not compile; or nil.
local function compiled_as(compiled, path, text)
  local known = compiled and compiled[path]
  return known and known.text == text and known or nil
end

-- A chunk with that text, compiled here only where that was not done ahead, nor for the generation that serves.
local function chunk_of(generation, path, text)
  local known = compiled_as(generation.compiled, path, text) or compiled_as(reload.current.compiled, path, text)
  if known then
    generation.compiled[path] = known
    return known.code and loadstring(known.code), known.wrong
  end
  local chunk, wrong = loadstring(text, "@" .. path)
  wrong = syntax.why(text, wrong)
  generation.compiled[path] = chunk and { text = text, code = dump(chunk) } or nil
  return chunk, wrong
end

-- Compiles a file for a generation: the chunk, or nil and the message.
local function compile(generation, path)
  local text, err = text_of(generation, path)
  if not text then
    return nil, err
  end
  generation.modules[path] = text
  _M.on_loaded(path)
  local chunk, wrong = chunk_of(generation, path, text)
  return chunk and setfenv(chunk, generation.env), wrong
end

-- The same; raises where it can't be: {syntax = text}, which needs no traceback.
function _M.chunk(generation, path)
  local chunk, err = compile(generation, path)
  if not chunk then
    error({ syntax = err }, 0)
  end
  return chunk
end

-- --- ahead ---

-- Compiled beside the loop, while messages are served: { text, code } or { text, wrong }, or nil where it is to be done
-- in its place. What has an escape character may be bytecode.
local function compiled_beside(path, text)
  if text:find("\27", 1, true) then
    return nil
  end
  local waiter = task.waiter()
  local begun = compiler.start(text, "@" .. path, function(code, wrong)
    waiter:wake(code, wrong)
  end)
  if not begun then
    return nil
  end
  local code, wrong = waiter:wait()
  wrong = syntax.why(text, wrong)
  return (code or wrong) and { text = text, code = code, wrong = wrong }
end

-- Compiles what the next version will find different from the one that serves: path → what is compiled, as prepare()
-- takes it. Its texts are `given`, path → text, or else what the files at the paths of `known` have now. Waits. What
-- changes after that is compiled when it is loaded, and so is a file that is new.
function _M.compile_ahead(known, given)
  local changed, compiled = {}, {}
  for path in pairs(given or known) do
    local text = given and given[path] or not given and _M.read(path)
    if text and not compiled_as(reload.current.compiled, path, text) then
      changed[#changed + 1] = { path = path, text = text }
    end
  end
  for _, file in ipairs(changed) do
    compiled[file.path] = compiled_beside(file.path, file.text)
  end
  return compiled
end

-- --- modules ---

local function exists(path)
  local file = open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

-- Where a module of the application may be, best first.
local function places(generation, name)
  local relative, paths = name:gsub("%.", "/"), {}
  local templates = { _M.directory .. "/?.lua", _M.directory .. "/?/init.lua" }
  for template in tostring(generation.package.path):gmatch "[^;]+" do
    if template:sub(1, 1) ~= "/" or not system_path[template] then
      templates[#templates + 1] = template
    end
  end
  local seen = {}
  for _, template in ipairs(templates) do
    local path = template:gsub("%?", (relative:gsub("%%", "%%%%")))
    if not seen[path] then
      seen[path] = true
      paths[#paths + 1] = path
    end
  end
  return paths
end

-- The path of a module of the application, or nil.
local function find(generation, name)
  for _, path in ipairs(places(generation, name)) do
    if exists(path) then
      return path
    end
  end
end

-- The name of a module beside the main file that is nearest to `name`, or nil.
local function nearest(name)
  local parent = name:match "^(.*%.)" or ""
  local folder = _M.directory .. "/" .. parent:gsub("%.", "/")
  local known = {}
  for _, file in ipairs(files.list(folder) or {}) do
    local module = file:match "^(.+)%.lua$" or exists(folder .. file .. "/init.lua") and file
    if module then
      known[#known + 1] = parent .. module
    end
  end
  return options.nearest(name, known)
end

-- Can one of the system's own searchers find it, or one that the application has added?
local function is_systems(name)
  local root = name:match "^[^.]*"
  return base_package.loaded[name] ~= nil or base_package.preload[name] ~= nil
    or #base_package.loaders ~= _M.searchers
    or searchpath(name, base_package.path) ~= nil
    or searchpath(name, base_package.cpath) ~= nil or searchpath(root, base_package.cpath) ~= nil
end

-- Raised where the application requires what there is not, at its line.
local function missing(generation, name)
  local near = nearest(name)
  local lines = { ("module '%s' not found%s"):format(name, near and (", did you mean %q?"):format(near) or "") }
  for _, path in ipairs(places(generation, name)) do
    lines[#lines + 1] = "\tno file " .. path
  end
  lines[#lines + 1] = "\tand none in the folders of Lua 5.1 (package.path, package.cpath)"
  return concat(lines, "\n")
end

local function check_circle(stack, name, level)
  for i, loading in ipairs(stack) do
    if loading == name then
      local way = concat(stack, " requires ", i)
      error(("the modules require each other in a circle: %s requires %s"):format(way, name), level + 1)
    end
  end
end

-- Loads a module through the system's require, in which nothing can wait: no other task finds it half loaded.
local function load_module(generation, name, level)
  local stack, loaded = generation.requiring, base_package.loaded
  check_circle(stack, name, level + 1)
  stack[#stack + 1] = name
  local systems = loaded[name] -- of the same name
  loaded[name] = nil
  local ok, result = xpcall(system_require, function(raised)
    if not generation.failure or generation.failure.raised ~= raised then -- the innermost says most
      generation.failure = { raised = raised, trace = traceback(tostring(raised), 2) }
    end
    return raised
  end, name)
  loaded[name] = systems
  stack[#stack] = nil
  if not ok then
    error(result, 0)
  end
  local own = generation.package.loaded
  if result == true and rawget(own, name) ~= nil then -- it has put itself there
    return own[name]
  end
  own[name] = result
  return result
end

local function require_for(generation)
  local loaded = generation.package.loaded
  return function(name)
    local found = rawget(loaded, name)
    if found ~= nil then
      return found
    end
    if type(name) ~= "string" then
      error(("require takes the name of a module, a string, not a %s"):format(type(name)), 2)
    end
    local preload = rawget(generation.package.preload, name)
    if preload or not _M.is_runtime(name) and find(generation, name) then
      return (load_module(generation, name, 2)) -- no tail call: a circle is reported at the caller's line
    elseif not is_systems(name) then
      error(missing(generation, name), 2)
    end
    return (system_require(name))
  end
end

function _M.is_runtime(name)
  return base_package.preload[name] ~= nil and (name == "painda" or name:find "^painda%.") ~= nil
end

-- A searcher of package.loaders, for require_for and for modules of the system that require one of the application's.
function _M.searcher(name)
  local generation = reload.generation()
  if not generation.package then
    return "\n\tno application is loaded"
  end
  local preload = rawget(generation.package.preload, name)
  local path = not preload and find(generation, name)
  if preload or path then
    return preload or _M.chunk(generation, path)
  end
  return ("\n\tno file %s/%s.lua"):format(_M.directory, (name:gsub("%.", "/")))
end

-- --- the environment ---

-- loadstring and load, whose chunks have the generation's globals.
local function loading(generation, original)
  return function(text, name, mode, env)
    local chunk, err = original(text, name, mode)
    return chunk and setfenv(chunk, env or generation.env), err
  end
end

local function with_files(generation, env)
  function env.loadfile(path, mode, globals)
    if path == nil then
      return loadfile(path, mode, globals or env)
    end
    local chunk, err = compile(generation, path)
    return chunk and setfenv(chunk, globals or env), err
  end
  function env.dofile(path)
    local chunk, err = env.loadfile(path)
    if not chunk then
      error(err, 0)
    end
    return chunk()
  end
end

-- Coroutines that are made while it is loaded belong to the generation as the code does that makes them.
local function with_coroutines(generation, env)
  local function body(fn)
    return generation.stage ~= "serving" and type(fn) == "function" and tasks.body(generation, fn) or fn
  end
  env.coroutine = setmetatable({
    create = function(fn)
      return create(body(fn))
    end,
    wrap = function(fn)
      return wrap(body(fn))
    end,
  }, { __index = coroutine })
end

-- Gives a generation what its code finds as globals. `given`: path → text that is to be loaded in the place of files;
-- `compiled`: what of it, or of them, is compiled already.
function _M.prepare(generation, given, compiled)
  local env = generation.env
  generation.given = given
  generation.compiled = compiled
  generation.requiring = {} -- names of the modules that are being loaded, outermost first
  generation.package = setmetatable({
    path = base_package.path,
    loaded = setmetatable({}, { __index = base_package.loaded }),
    preload = setmetatable({}, { __index = base_package.preload }),
  }, { __index = base_package })
  env.package = generation.package
  env.require = require_for(generation)
  env.load, env.loadstring = loading(generation, load), loading(generation, loadstring)
  with_files(generation, env)
  with_coroutines(generation, env)
end

return _M
