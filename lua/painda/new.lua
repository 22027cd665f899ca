-- painda new: a project from one of the templates that are part of the program. Nothing that is there is overwritten.

local files = require "painda.core.files"
local runtime = require "painda.core.runtime"

local pairs, ipairs = pairs, ipairs
local sort, concat = table.sort, table.concat

local TYPES = ".painda/types"

local _M = {}

local function by_path(set)
  local paths = {}
  for path in pairs(set) do
    paths[#paths + 1] = path
  end
  sort(paths)
  return paths
end

-- Makes the folder that the file is in, and those above it below `root`.
local function make_folders(root, path)
  local at = root
  for name in path:gmatch "([^/]+)/" do
    at = at .. "/" .. name
    files.make_directory(at, 511) -- 0777 but for the umask; it may be there
  end
end

-- path → text, below root. nil and what is wrong where one can't be written.
local function write_all(root, set)
  for _, path in ipairs(by_path(set)) do
    make_folders(root, path)
    local ok, err = files.write(root .. "/" .. path, set[path], 438) -- 0666 but for the umask
    if not ok then
      return nil, "cannot write " .. err
    end
  end
  return true
end

local function add_types(set)
  for name, text in pairs(files.embedded "types") do
    set[TYPES .. "/" .. name] = text
  end
end

-- The files of a project, by path.
local function project_files(template, name)
  local set = {}
  for path, text in pairs(files.embedded "templates") do
    local below = path:match("^" .. template .. "/(.+)$") or path:match "^common/(.+)$"
    if below then
      set[below] = text:gsub("{{NAME}}", name)
    end
  end
  add_types(set)
  return set
end

-- The name of the project that is to be in this folder; nil and what is wrong with it.
local function name_of(path)
  local whole = path:find "^%.*/?$" and files.real(path) or path
  local name = (whole or ""):match "([^/]+)/*$"
  if not name or not name:find "^[%w_][%w_.-]*$" then
    return nil, ("%q is no name for a project: it begins with a letter, a digit or _, and goes on with those, - and .")
      :format(path)
  end
  return name
end

-- nil where a project can be made in the folder, which is there then; or what is wrong.
local function fault_of(path)
  local status = files.status(path)
  if not status then
    local ok, err = files.make_directory(path, 511)
    return not ok and "cannot make " .. err or nil
  end
  local there = status.kind == "directory" and files.list(path)
  local is_new_repository = there and #there == 1 and there[1] == ".git"
  if not there or #there > 0 and not is_new_repository then
    return ("%s is there already%s: nothing is overwritten"):format(path, there and " and not empty" or "")
  end
end

-- Makes the project in folder `path`. Returns what to say of it, or nil and what is wrong.
function _M.project(path, template)
  local name, wrong = name_of(path)
  wrong = wrong or fault_of(path)
  if wrong then
    return nil, wrong
  end
  local set = project_files(template, name)
  local ok, err = write_all(path, set)
  if not ok then
    return nil, err
  end
  local lines = { ("%s, from the template %s:"):format(path, template), "" }
  for _, file in ipairs(by_path(set)) do
    if not file:find("^%.") then
      lines[#lines + 1] = "  " .. file
    end
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = path == "." and "  painda test" or ("  cd %s && painda test"):format(path)
  lines[#lines + 1] = "  painda run app.lua --watch"
  return concat(lines, "\n") .. "\n"
end

-- Writes the types of this version into a project that is there.
function _M.types(path)
  local status = files.status(path)
  if not status or status.kind ~= "directory" then
    return nil, path .. " is no folder"
  end
  local set = {}
  add_types(set)
  local ok, err = write_all(path, set)
  if not ok then
    return nil, err
  end
  return ("%s/%s: the types of painda %s\n"):format(path, TYPES, runtime.version)
end

return _M
