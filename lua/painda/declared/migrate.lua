-- The values of a state for another schema: by name, and nothing may be lost unless the application says what becomes
-- of it.

local check = require "painda.declared.check"
local types = require "painda.declared.types"

local type, pairs, ipairs, next, pcall, tostring = type, pairs, ipairs, next, pcall, tostring

local _M = {}

local function join(path, name)
  return path == "" and name or path .. "." .. name
end

-- Would nothing be missed? 0, false, "", and tables of such.
local function is_empty(value)
  if type(value) ~= "table" then
    return value == 0 or value == false or value == ""
  end
  for _, inner in pairs(value) do
    if not is_empty(inner) then
      return false
    end
  end
  return true
end

local fit

local function fit_record(t, value, path)
  local members, out = {}, {}
  for _, member in ipairs(t.members) do
    members[member.name] = member.type
  end
  for name, inner in pairs(value) do
    local where = join(path, tostring(name))
    if members[name] then
      local reason
      out[name], where, reason = fit(members[name], inner, where)
      if where then
        return nil, where, reason
      end
    elseif not is_empty(inner) then
      return nil, where, ("%s would be lost, the field is not declared any more"):format(types.show(inner))
    end
  end
  return out
end

local function fit_items(t, value, path)
  local out, count = {}, 0
  if t.kind == "list" and next(value) ~= nil and #value == 0 then
    return nil, path, "a list expected, not a table with names"
  elseif t.kind == "map" and #value > 0 then
    return nil, path, "a map expected, not a list"
  end
  for key, inner in pairs(value) do
    local where, reason
    out[key], where, reason = fit(t.of, inner, join(path, tostring(key)))
    if where then
      return nil, where, reason
    end
    count = count + 1
  end
  if count > t.max then
    return nil, path, ("at most %d items are declared, and there are %d"):format(t.max, count)
  end
  return out
end

local INSIDE = { record = fit_record, map = fit_items, list = fit_items }

-- The value, without what the type has no room for; nil, where and why where that would lose something.
function fit(t, value, path)
  if INSIDE[t.kind] and type(value) == "table" then
    return INSIDE[t.kind](t, value, path)
  end
  local where, reason = check.problem(t, value, path)
  if where then
    return nil, where, reason
  end
  return value
end

-- Lays what the state does not have yet from `from` under `into`: fields of records only, by name.
local function fill(t, into, from)
  for _, member in ipairs(t.members) do
    local name = member.name
    if into[name] == nil then
      into[name] = from[name]
    elseif member.type.kind == "record" then
      fill(member.type, into[name], from[name])
    end
  end
  return into
end

-- The values that a state of type `t` gets: those of `old`, a table, by name, and for new fields those of `initial`.
-- With a function, what that returns for `old`. Or nil and why not, which names the field.
function _M.values(t, old, initial, convert)
  local values, where, reason
  if convert then
    local fine, made = pcall(convert, old)
    if not fine or type(made) ~= "table" then
      return nil, fine and "migrate returned no table" or "migrate failed: " .. tostring(made)
    end
    where, reason = check.problem(t, made, "")
    values = made
  else
    values, where, reason = fit(t, old, "")
  end
  if where then
    return nil, (where == "" and "the state" or where) .. ": " .. reason
  end
  return fill(t, values, initial)
end

return _M
