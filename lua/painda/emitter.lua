-- Listener tables. A name leads to a function, or to a list of {fn, once} that is never changed in place, so it can
-- be walked while listeners come and go.

local runtime = require "painda.core.runtime"
local shown = require("painda.options").shown

local setmetatable, type, ipairs, pairs, error = setmetatable, type, ipairs, pairs, error
local spawn = runtime.spawn

local EMPTY = setmetatable({}, { __newindex = error }) -- shared by those that have no listeners of a kind

local _M = { EMPTY = EMPTY }

-- The listeners in a field of an object, to add to: the first listener makes their table.
function _M.writable(object, field)
  local listeners = object[field]
  if listeners == EMPTY then
    listeners = {}
    object[field] = listeners
  end
  return listeners
end

local function check_name(what, name, level)
  if type(name) ~= "string" or name == "" then
    local text = "%s takes the name of an event, a string that is not empty, not %s"
    error(text:format(what, shown(name)), level + 1)
  end
end

-- What a method of that name is given to listen with. Misuse is raised at its caller's line, here and below.
function _M.check(what, name, fn)
  check_name(what, name, 3)
  if name:sub(1, 5) == "__pp_" then
    error(("%s: %s is never told: types that begin with __pp_ belong to the protocol"):format(what, shown(name)), 3)
  end
  if type(fn) ~= "function" then
    error(("%s(%q, …) takes a function, not a %s"):format(what, name, type(fn)), 3)
  end
end

-- What is given to listen no more: a function, or nothing for all.
function _M.check_off(what, name, fn)
  check_name(what, name, 3)
  if fn ~= nil and type(fn) ~= "function" then
    error(("%s(%q, …) takes the function that listens, or nothing for all, not %s"):format(what, name, shown(fn)), 3)
  end
end

function _M.check_any(what, fn)
  if type(fn) ~= "function" then
    error(("%s takes a function, not %s"):format(what, shown(fn)), 3)
  end
end

function _M.check_off_any(what, fn)
  if fn ~= nil and type(fn) ~= "function" then
    error(("%s takes the function that listens, or nothing for all, not %s"):format(what, shown(fn)), 3)
  end
end

function _M.add(listeners, name, fn, once)
  local old = listeners[name]
  if old == nil and not once then
    listeners[name] = fn
    return
  end
  local list = {}
  if type(old) == "function" then
    list[1] = { fn = old }
  elseif old then
    for i, entry in ipairs(old) do
      list[i] = entry
    end
  end
  list[#list + 1] = { fn = fn, once = once }
  listeners[name] = list
end

-- Takes one entry off the list of a name, where it is still on it.
local function take(listeners, name, taken)
  local kept = {}
  for _, entry in ipairs(listeners[name] or {}) do
    if entry ~= taken then
      kept[#kept + 1] = entry
    end
  end
  listeners[name] = kept[1] and kept or nil
end

-- Removes the listener, or all of that name where fn is nil. True where there was one.
function _M.remove(listeners, name, fn)
  local old = listeners[name]
  if old == nil then
    return false
  end
  if fn == nil or old == fn then
    listeners[name] = nil
    return true
  end
  if type(old) == "function" then
    return false
  end
  for _, entry in ipairs(old) do
    if entry.fn == fn then
      take(listeners, name, entry)
      return true
    end
  end
  return false
end

-- Appends the functions that listen to `name` to `out`, from n + 1 on, and takes those away that listen once. Returns
-- the new n.
function _M.collect(listeners, name, out, n)
  local found = listeners[name]
  if found == nil then
    return n
  end
  if type(found) == "function" then
    out[n + 1] = found
    return n + 1
  end
  for _, entry in ipairs(found) do
    n = n + 1
    out[n] = entry.fn
    if entry.once then
      take(listeners, name, entry)
    end
  end
  return n
end

-- Calls the listeners of a name, each but the last on a task of its own.
function _M.run_each(listeners, name, ...)
  local list = {}
  local n = _M.collect(listeners, name, list, 0)
  for i = 1, n - 1 do
    spawn(list[i], ...)
  end
  if n > 0 then
    list[n](...)
  end
end

function _M.count(listeners)
  local n = 0
  for _, found in pairs(listeners) do
    n = n + (type(found) == "function" and 1 or #found)
  end
  return n
end

return _M
