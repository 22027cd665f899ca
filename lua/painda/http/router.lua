-- Which handler a path belongs to. An exact path comes before one with parameters, those in the order in which they
-- were added, and files come last.
--
--   "/rooms"             exact
--   "/rooms/:id"         one segment, in params.id
--   "/files/*"           all that follows, in params["*"]

local setmetatable, ipairs, pairs = setmetatable, ipairs, pairs

local Router = {}
Router.__index = Router

local _M = {}

function _M.new()
  return setmetatable({ exact = {}, patterns = {}, files = {} }, Router)
end

-- A Lua pattern for the path, and the names of what it captures; nil and why where it can't be.
local function compile(path)
  local names, seen = {}, {}
  local source, rest = path:match "^(.*)%*$", nil
  if source then
    if source:sub(-1) ~= "/" then
      return nil, ("in the route %q, * must be a segment of its own at the end"):format(path)
    end
    rest = "(.*)"
  end
  source = source or path
  if source:find("*", 1, true) then
    return nil, ("in the route %q, * must be the last segment"):format(path)
  end
  local pattern = source:gsub("[^/]+", function(segment)
    if segment:sub(1, 1) ~= ":" then
      return (segment:gsub("%p", "%%%0"))
    end
    names[#names + 1] = segment:sub(2)
    return "([^/]+)"
  end)
  for _, name in ipairs(names) do
    if not name:find "^[%a_][%w_]*$" or seen[name] then
      return nil, ("in the route %q, %q is not a name of its own for a parameter"):format(path, name)
    end
    seen[name] = true
  end
  names[#names + 1] = rest and "*" or nil
  return "^" .. pattern .. (rest or "") .. "$", names
end

local function entry_of(self, path)
  if not path:find "[:*]" then
    local entry = self.exact[path] or { methods = {} }
    self.exact[path] = entry
    return entry
  end
  for _, entry in ipairs(self.patterns) do
    if entry.path == path then
      return entry
    end
  end
  local pattern, names = compile(path)
  if not pattern then
    return nil, names
  end
  local entry = { path = path, pattern = pattern, names = names, methods = {} }
  self.patterns[#self.patterns + 1] = entry
  return entry
end

-- True, or nil and why it can't be added.
function Router:add(method, path, handler)
  local entry, err = entry_of(self, path)
  if not entry then
    return nil, err
  end
  if entry.methods[method] then
    return nil, ("%s %s has a handler already"):format(method, path)
  end
  entry.methods[method] = handler
  return true
end

function Router:add_files(prefix, root, max_age, index)
  prefix = prefix:gsub("/+$", "")
  self.files[#self.files + 1] = { prefix = prefix, root = root, max_age = max_age, index = index }
end

local function params_of(entry, first, ...)
  if not first then
    return nil
  end
  local values, params = { first, ... }, {}
  for i, name in ipairs(entry.names) do
    params[name] = values[i]
  end
  return params
end

local function handler_of(entry, method)
  return entry.methods[method] or (method == "HEAD" and entry.methods.GET) or nil
end

-- Adds what the entry serves to `methods`, which is made where it is nil.
local function collect(methods, entry)
  methods = methods or { OPTIONS = true }
  for method in pairs(entry.methods) do
    methods[method] = true
    methods.HEAD = methods.HEAD or method == "GET" or nil
  end
  return methods
end

-- The handler and its params; or nil, nil and the set of methods that this path is served for, nil where there is none.
function Router:find(method, path)
  local methods = nil
  local entry = self.exact[path]
  if entry then
    local handler = handler_of(entry, method)
    if handler then
      return handler, {}
    end
    methods = collect(methods, entry)
  end
  for _, candidate in ipairs(self.patterns) do
    local params = params_of(candidate, path:match(candidate.pattern))
    if params then
      local handler = handler_of(candidate, method)
      if handler then
        return handler, params
      end
      methods = collect(methods, candidate)
    end
  end
  return nil, nil, methods
end

-- Answers with a file; false where no directory has it.
function Router:serve(raw, path)
  for _, files in ipairs(self.files) do
    local prefix = files.prefix
    local next_char = path:sub(#prefix + 1, #prefix + 1)
    if path:sub(1, #prefix) == prefix and (next_char == "/" or next_char == "") then
      if raw:file(files.root, path:sub(#prefix + 2), files.max_age, files.index) then
        return true
      end
    end
  end
  return false
end

return _M
