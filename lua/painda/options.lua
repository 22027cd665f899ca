-- Checking of option tables: an unknown option, or one of the wrong type, is an error that names it and the nearest
-- known one.
--
--   options.check("PPServer", {
--     port = { type = "integer", min = 0, max = 65535 },
--     mode = { values = { "chat", "media" }, default = "chat" },
--     tls  = { type = "table" },
--     wait = { type = { "table", "boolean" }, default = true },
--   }, given)

local null = require("painda.core.json").null

local type, pairs, ipairs, error, tostring = type, pairs, ipairs, error, tostring
local concat, sort = table.concat, table.sort
local min, floor, huge = math.min, math.floor, math.huge

local ESCAPES = { ["\n"] = "\\n", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }
local LONGEST = 40 -- bytes of a string that are shown

local _M = {}

-- What others call an option that has another name here.
local RENAMED = {
  cors = "allowedOrigins",
  pingInterval = "heartbeat",
  pingTimeout = "heartbeat",
  maxHttpBufferSize = "maxPayload",
  perMessageDeflate = "compression",
  httpCompression = "compression",
  connectionStateRecovery = "recovery",
  reconnection = "reconnect",
  reconnectionAttempts = "reconnectAttempts",
  reconnectionDelay = "reconnectDelay",
  reconnectionDelayMax = "reconnectDelayMax",
  randomizationFactor = "jitter",
  extraHeaders = "headers",
  auth = "getToken",
}

local function harmless(text)
  return (text:gsub('[%c\\"]', function(char)
    return ESCAPES[char] or ("\\%d"):format(char:byte())
  end))
end

-- How many single edits (insert, delete, replace, swap neighbours) lead from a to b.
local function distance(a, b)
  local before, previous = nil, {}
  for j = 0, #b do
    previous[j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = min(row[j], before[j - 2] + 1)
      end
    end
    before, previous = previous, row
  end
  return previous[#b]
end

-- The name in `known` (an array) that is nearest to `name`, or nil where none is within `most` edits (3).
function _M.nearest(name, known, most)
  local best, best_distance
  for _, candidate in ipairs(known) do
    local d = distance(name:lower(), candidate:lower())
    if not best or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  if best and best_distance <= min(most or 3, floor(#name / 2)) then
    return best
  end
end

-- For the end of an error about a name that is none of `known`: the nearest, or `otherwise` ("").
function _M.hint(name, known, otherwise)
  local near = type(name) == "string" and _M.nearest(name, known)
  return near and (", did you mean %q?"):format(near) or otherwise or ""
end

-- The same where they are few: all of them are told.
function _M.hint_of_few(name, known)
  return _M.hint(name, known, ": there are " .. concat(known, ", "))
end

-- Raises at the caller's caller where there is no event of that name.
function _M.check_event(what, name, known)
  for _, event in ipairs(known) do
    if name == event then
      return
    end
  end
  if type(name) ~= "string" then
    error(("%s takes the name of an event, not %s"):format(what, _M.shown(name)), 3)
  end
  error(("%s: there is no event %q%s"):format(what, name, _M.hint_of_few(name, known)), 3)
end

-- "a table", "an error".
function _M.a(kind)
  return (kind:find "^[aeiou]" and kind ~= "userdata" and "an " or "a ") .. kind
end

local function names_of(spec)
  local names = {}
  for name in pairs(spec) do
    names[#names + 1] = name
  end
  sort(names)
  return names
end

local function kind_of(value)
  return type(value) == "number" and value % 1 == 0 and "integer" or type(value)
end

local function fits(expected, value)
  if expected == "callable" then
    return type(value) == "function"
  end
  return expected == type(value) or expected == kind_of(value)
end

-- The text, or as much of it as `most` bytes hold without half a character.
function _M.cut(text, most)
  if #text <= most then
    return text
  end
  while text:find("^[\128-\191]", most + 1) do
    most = most - 1
  end
  return text:sub(1, most) .. "…"
end

-- A value as errors show it: what it is, where it can't be told in a few words.
function _M.shown(value)
  local kind = type(value)
  if kind == "string" then
    return ('"%s"'):format(harmless(_M.cut(value, LONGEST)))
  elseif kind == "number" or kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return value == null and "painda.null" or _M.a(kind)
end

-- The same of an option's, where a number may be meant for a string.
local function show(value)
  return type(value) == "number" and tostring(value) .. " (a number)" or _M.shown(value)
end

local function bounds(rule)
  if not rule.max or rule.max == huge then
    return ("must be %s or more"):format(tostring(rule.min))
  elseif not rule.min then
    return ("must be %s or less"):format(tostring(rule.max))
  end
  return ("must be from %s to %s"):format(tostring(rule.min), tostring(rule.max))
end

-- What is wrong with the value, or nil.
local function complaint(rule, value)
  if rule.values then
    for _, allowed in ipairs(rule.values) do
      if value == allowed then
        return
      end
    end
    local shown = {}
    for i, allowed in ipairs(rule.values) do
      shown[i] = show(allowed)
    end
    return "must be one of " .. concat(shown, ", ")
  end
  local kinds = type(rule.type) == "table" and rule.type or { rule.type }
  for _, kind in ipairs(kinds) do
    if fits(kind, value) then
      if type(value) == "number" and (value ~= value or value < (rule.min or value) or value > (rule.max or value)) then
        return bounds(rule)
      end
      return
    end
  end
  local named = { rule.a }
  for i, kind in ipairs(rule.a and {} or kinds) do
    named[i] = _M.a(kind)
  end
  return "must be " .. concat(named, " or ")
end

-- Returns a new table with every option of `spec`: the given value, else the default. `level` is the error level of the
-- caller's caller (2: whoever called the constructor).
function _M.check(what, spec, given, level)
  level = (level or 2) + 1
  if type(given) ~= "table" then
    error(("%s takes a table of options, not %s"):format(what, show(given)), level)
  end
  local out = {}
  for name, value in pairs(given) do
    if type(name) ~= "string" then
      error(("%s takes options by their names, and was given %s without one"):format(what, show(value)), level)
    end
    local rule = spec[name]
    if not rule then
      local meant = spec[RENAMED[name]] and (", did you mean %q?"):format(RENAMED[name])
      error(("%s has no option %q%s"):format(what, name, meant or _M.hint(name, names_of(spec))), level)
    end
    local wrong = complaint(rule, value)
    if wrong then
      error(("%s option %q %s, not %s"):format(what, name, wrong, show(value)), level)
    end
    out[name] = value
  end
  for name, rule in pairs(spec) do
    if out[name] == nil then
      if rule.required then
        error(("%s needs the option %q"):format(what, name), level)
      end
      out[name] = rule.default
    end
  end
  return out
end

return _M
