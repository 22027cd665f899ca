-- The classes and modules of the API: what their functions have in common.
--
-- A method that is called with a dot has no object, and a function of a module that is called with a colon has one too
-- many. Both are said at the caller's line, and before anything else is looked at. Each function gets that check in
-- front of it by a function of its own, compiled for it: it ends in a tail call, so that the levels of errors and the
-- lines of a traceback are as without it, and a trace is compiled as if the check stood in the method.
--
-- A name that is looked up in vain is remembered, so that the report of what came of it can name what was meant.

local options = require "painda.options"

local setmetatable, getmetatable, pairs, ipairs, type, error = setmetatable, getmetatable, pairs, ipairs, type, error
local byte, concat, getinfo, load = string.byte, table.concat, debug.getinfo, loadstring

local WEAK = { __mode = "k" }
local UNDERSCORE = byte "_"

-- What others call what has another name here. It is told where the class has that.
local RENAMED = {
  addListener = "on",
  allSockets = "fetchSockets",
  connected = "isConnected",
  destroy = "close",
  disconnect = "close",
  emit = "broadcast",
  emitWithAck = "request",
  fetchSockets = "getClients",
  removeAllListeners = "off",
  removeListener = "off",
  sockets = "getClients",
  warning = "warn",
}

local _M = {}

local classes = {} -- { methods, shown, metatable, parent, own }, in the order of loading
local own_of = {} -- table of methods → set of the metatables that its objects have
local yet_to_come = {} -- module → the names that it has no fields for yet
local missed = { methods = nil, name = nil } -- what was looked up last and is not there

local function is_public(name)
  return type(name) == "string" and byte(name) ~= UNDERSCORE
end

-- Remembers that there is no such name.
function _M.miss(methods, name)
  if type(name) == "string" and byte(name) ~= UNDERSCORE then
    missed.methods, missed.name = methods, name
  end
end

local miss = _M.miss

-- --- checks in front of functions ---

local METHOD = [[
local fn, metatable, own, refuse, getmetatable = ...
return function(%s)
  if getmetatable(self) ~= metatable and not own[getmetatable(self)] then
    refuse(self)
  end
  return fn(%s)
end]]

local FUNCTION = [[
local fn, module, refuse = ...
return function(%s)
  if %s == module then
    refuse()
  end
  return fn(%s)
end]]

-- The parameters of a function as text, the first of that name; "…" where they are not known.
local function parameters_of(fn, first)
  local info, names = getinfo(fn, "u"), {}
  for i = 1, info.nparams do
    names[i] = i == 1 and first or "a" .. i
  end
  if info.isvararg then
    names[#names + 1] = "..."
  end
  return concat(names, ", ")
end

-- Raises for a method that was given something else in the place of its object; `level` is as that of error().
function _M.refuse(shown, name, given, level)
  local kind = given == nil and "nothing" or options.a(type(given))
  local text = "call it with a colon: %s:%s(…); it was given %s in the place of its object"
  error(text:format(shown, name, kind), level + 1)
end

local function checked_method(class, name, fn)
  local parameters = parameters_of(fn, "self")
  if parameters:sub(1, 4) ~= "self" then
    return fn
  end
  local function refuse(given)
    _M.refuse(class.shown, name, given, 3)
  end
  return load(METHOD:format(parameters, parameters), "=painda")(fn, class.metatable, class.own, refuse, getmetatable)
end

local function checked_function(shown, module, name, fn)
  local parameters = parameters_of(fn, "given")
  if parameters == "" then
    parameters = "..."
  end
  local first = parameters:sub(1, 3) == "..." and "(...)" or "given"
  local function refuse()
    error(("call it with a dot: %s.%s(…)"):format(shown, name), 3)
  end
  return load(FUNCTION:format(parameters, first, parameters), "=painda")(fn, module, refuse)
end

-- Completes a class, whose methods are all there: `shown` is what its objects are called in messages ("server"), and
-- `metatable` theirs. `parent` is a class whose methods they have too. `hot` names methods that look at their object
-- themselves, and call _M.refuse: those of every message, where a call more is felt. Returns the methods.
function _M.class(shown, methods, metatable, parent, hot)
  -- A class whose objects are only those of others has a metatable that nobody has.
  local class = { methods = methods, shown = shown, metatable = metatable or {}, parent = parent }
  class.own = setmetatable({}, WEAK)
  classes[#classes + 1], own_of[methods] = class, class.own
  if metatable then
    _M.serves(methods, metatable)
  end
  if parent then
    _M.serves(parent, metatable)
  else
    setmetatable(methods, { __index = miss })
  end
  for name, fn in pairs(methods) do
    if is_public(name) and type(fn) == "function" and not (hot and hot[name]) then
      methods[name] = checked_method(class, name, fn)
    end
  end
  return methods
end

-- Objects of that metatable have the methods of a class as well.
function _M.serves(methods, metatable)
  local own = own_of[methods]
  own[metatable] = true
end

-- One function of a module, as it is called: shown.name(…).
_M.checked_function = checked_function

-- Completes a module. `lazy` has the names that it is yet to be given. Returns the module.
function _M.module(shown, module, lazy)
  yet_to_come[module] = lazy
  for name, fn in pairs(module) do
    if is_public(name) and type(fn) == "function" then
      module[name] = checked_function(shown, module, name, fn)
    end
  end
  if not getmetatable(module) then
    setmetatable(module, { __index = miss })
  end
  return module
end

-- The classes that are loaded, for tests: { methods, shown, parent }.
function _M.each()
  return ipairs(classes)
end

-- --- hints ---

local function public_names(tables)
  local names, seen = {}, {}
  for _, methods in ipairs(tables) do
    for name in pairs(methods) do
      if is_public(name) and not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  return names
end

-- The tables that a name may be in which was looked for in `methods`.
local function family(methods)
  local tables = { methods, yet_to_come[methods] }
  for _, class in ipairs(classes) do
    if class.parent == methods then
      tables[#tables + 1] = class.methods
    end
  end
  return tables
end

-- For the end of an error about a name that there is not: ', did you mean "x"?', or "". Of other classes than the one
-- that was asked nothing is told.
function _M.hint(name)
  if name ~= missed.name then
    return ""
  end
  local names = public_names(family(missed.methods))
  local renamed = RENAMED[name]
  for _, known in ipairs(names) do
    if known == renamed then
      return (", did you mean %q?"):format(known)
    end
  end
  return options.hint(name, names)
end

return _M
