-- What is given as a view of a typed room: what there is, and what is wrong with it.

local options = require "painda.options"

local type, error, ipairs = type, error, ipairs

local MOST_MAPS = 8 -- as in runtime/interest/interest.h
local OPTIONS = {
  map = { type = { "string", "table" } },
  filter = { type = "function" },
  radius = { type = "number", min = 0 },
  margin = { type = "number", min = 0 },
  x = { type = "string" },
  y = { type = "string" },
  of = { type = { "string", "table" } },
  at = { type = "table" },
}

local _M = { MOST_MAPS = MOST_MAPS }

local function check_maps(given, level)
  local maps = type(given) == "string" and { given } or given
  local fine = type(maps) == "table" and #maps >= 1 and #maps <= MOST_MAPS
  for _, name in ipairs(fine and maps or {}) do
    fine = fine and type(name) == "string"
  end
  if not fine then
    local text = "a view is of a map of the state, by its name, or of several (%d at most): "
      .. '{ map = "players", … }, or the room\'s option entities'
    error(text:format(MOST_MAPS), level + 1)
  end
  return maps
end

-- Is it a point, with numbers that have an end?
local function is_point(at)
  return type(at.x) == "number" and type(at.y) == "number" and at.x - at.x == 0 and at.y - at.y == 0
end

_M.is_point = is_point

local function check_near(checked, level)
  if checked.of ~= nil and checked.at ~= nil then
    error("a view has one centre: `of` (an entity), or `at` ({ x = …, y = … })", level + 1)
  elseif type(checked.of) == "table" and type(checked.of.id) ~= "string" then
    error("a view's `of` is the id of an entity, or a client", level + 1)
  elseif checked.at and not is_point(checked.at) then
    error("a view's `at` is a point, { x = …, y = … }", level + 1)
  end
end

-- A view as it was given, checked: { maps, filter } or { maps, radius, margin, x, y, of, at }. Raises.
function _M.check(self, given, level)
  level = level + 1
  if type(given) ~= "function" and type(given) ~= "table" then
    error(("a view is a function, a table, or nil for all of the state; not a %s"):format(type(given)), level)
  end
  local checked = type(given) == "function" and { filter = given } or options.check("a view", OPTIONS, given, level)
  if (checked.filter == nil) == (checked.radius == nil) then
    error("a view has a radius, or a filter: one of the two", level)
  end
  if checked.radius then
    check_near(checked, level)
  else
    for _, name in ipairs { "margin", "x", "y", "of", "at" } do
      if checked[name] ~= nil then
        error(("a view with a filter has no option %q"):format(name), level)
      end
    end
  end
  checked.maps = check_maps(checked.map or self._options.entities, level)
  checked.given = given
  return checked
end

-- Raises where the room's options `view` and `entities` are none.
function _M.check_options(checked, level)
  if checked.entities ~= nil then
    checked.entities = check_maps(checked.entities, level + 1)
  end
  if type(checked.view) == "table" then
    _M.check({ _options = checked }, checked.view, level + 1)
  end
end

return _M
