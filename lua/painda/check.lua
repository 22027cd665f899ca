-- painda check: whether sources compile, what they ask of the API that there is not, and what luacheck says, where it
-- is installed.

local files = require "painda.core.files"
local harmless = require("painda.control.text").harmless
local reader = require "painda.check.reader"
local rules = require "painda.check.rules"
local syntax = require "painda.app.syntax"

local ipairs, pcall, tostring, popen = ipairs, pcall, tostring, io.popen
local concat, sort = table.concat, table.sort

local MOST_FILES = 10000
local SKIPPED = { node_modules = true, build = true }

local _M = {}

local function read(path)
  local file, err = io.open(path, "rb")
  if not file then
    return nil, err
  end
  local text, why = file:read "*a"
  file:close()
  return text, why and ("%s: %s"):format(path, tostring(why))
end

-- --- which files ---

local function gather(path, into)
  local names = files.list(path) or {}
  sort(names)
  for _, name in ipairs(names) do
    local below = path .. "/" .. name
    local status = files.status(below)
    local kind = status and status.kind
    if kind == "directory" and not name:find "^%." and not SKIPPED[name] then
      gather(below, into)
    elseif kind == "file" and name:find "%.lua$" and #into < MOST_FILES then
      into[#into + 1] = below
    end
  end
  return into
end

-- The sources that `path` stands for: itself, or those below it. nil and what is wrong.
function _M.sources(path)
  local real, wrong = files.real(path)
  if not real then
    return nil, "cannot read " .. wrong
  end
  local status = files.status(real)
  if status.kind ~= "directory" then
    return { path }
  end
  local found = gather((path:gsub("(.)/+$", "%1")), {})
  for i, source in ipairs(found) do
    found[i] = source:gsub("^%./", "")
  end
  if #found == 0 then
    return nil, "there is no Lua file in " .. path
  end
  return found
end

-- --- what is wrong with one ---

-- "app.lua:3: text": the line and the text, where it is of that file.
local function place_of(message)
  local line, text = message:match "^[^\n]-:(%d+): (.*)$"
  return line and { line = tonumber(line), text = text } or { line = 1, text = message }
end

-- What there is to say of the text of a file: { { line, text } }, and a note where it could not be looked at.
function _M.text(text, name, known)
  if text:find "^\27" then
    return { { line = 1, text = "this is a compiled chunk, not a source" } }
  end
  local chunk, err = loadstring((text:gsub("^#[^\n]*", "")), "=" .. name)
  if not chunk then
    return { place_of(syntax.why(text, err)) }
  end
  local ok, found = pcall(reader.read, text, known)
  if not ok then
    return {}, ("%s: what it asks of the API was not checked (%s)"):format(name, tostring(found))
  end
  return found
end

-- --- luacheck ---

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function output_of(command)
  local pipe = popen(command, "r")
  local text = pipe and pipe:read "*a" or ""
  if pipe then
    pipe:close()
  end
  return text
end

-- The folder, this one or one above it, whose .luacheckrc counts; nil where there is none.
local function configured(folder)
  local at = files.real(folder)
  while at and at ~= "" do
    if files.status(at .. "/.luacheckrc") then
      return at
    end
    at = at:match "^(.*)/[^/]*$"
  end
end

local function is_installed()
  return output_of("command -v luacheck 2>/dev/null"):find "%S" ~= nil
end

-- Adds what luacheck has to say to `found`, by file. nil and a note where there is none.
local function ask_luacheck(sources, folder, found)
  if not is_installed() then
    return nil, "unused and undefined names were not looked for: luacheck is missing (apt-get install lua-check)"
  end
  local arguments = {}
  for i, path in ipairs(sources) do
    arguments[i] = quoted(files.real(path))
  end
  local root = configured(folder)
  local options = root and "" or "--std luajit+busted --no-unused-args --no-max-line-length "
  local list = os.tmpname()
  files.write(list, concat(arguments, " "), 384)
  local text = output_of(("cd %s && xargs luacheck %s--formatter plain --no-color -- < %s 2>&1"):format(
    quoted(root or folder), options, quoted(list)))
  os.remove(list)
  local by_real = {}
  for _, path in ipairs(sources) do
    by_real[files.real(path)] = path
  end
  for path, line, said in text:gmatch "([^\n]-):(%d+):%d+: ([^\n]*)" do
    local source = by_real[path]
    if source then
      local all = found[source]
      all[#all + 1] = { line = tonumber(line), text = said }
    end
  end
  return true
end

-- --- all of it ---

local function by_line(a, b)
  return a.line < b.line or a.line == b.line and a.text < b.text
end

-- Checks `path`, a file or a folder. Returns the lines to print, how many things were found in how many files, and the
-- notes; or nil and what is wrong.
function _M.run(path)
  local sources, wrong = _M.sources(path)
  if not sources then
    return nil, wrong
  end
  local known, found, notes, compiling = rules.new(), {}, {}, {}
  for _, source in ipairs(sources) do
    local text, err = read(source)
    if not text then
      return nil, "cannot read " .. err
    end
    local note
    found[source], note = _M.text(text, source, known)
    notes[#notes + 1] = note
    compiling[#compiling + 1] = loadstring(text) and source or nil
  end
  local folder = #sources == 1 and sources[1] == path and (path:match "^(.*)/[^/]*$" or ".") or path
  if #compiling > 0 then
    local _, note = ask_luacheck(compiling, folder, found)
    notes[#notes + 1] = note
  end
  local lines, bad = {}, 0
  for _, source in ipairs(sources) do
    sort(found[source], by_line)
    bad = bad + (#found[source] > 0 and 1 or 0)
    for _, one in ipairs(found[source]) do
      lines[#lines + 1] = ("%s:%d: %s"):format(source, one.line, harmless(one.text))
    end
  end
  return { lines = lines, files = #sources, bad = bad, notes = notes }
end

return _M
