-- The names of the API, for hints at a name that is none: each class adds its table of methods.

local options = require "painda.options"

local pairs, type = pairs, type

local classes = {}

local _M = {
  fields = {}, -- tables of the fields of `painda`
}

-- Adds a class by its table of methods. Returns the table.
function _M.class(methods)
  classes[#classes + 1] = methods
  return methods
end

local function public_names(tables)
  local names, seen = {}, {}
  for i = 1, #tables do
    for name in pairs(tables[i]) do
      if type(name) == "string" and name:sub(1, 1) ~= "_" and not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  return names
end

-- For the end of an error about a method, or a field of `painda`, that there is not: ', did you mean "x"?', or "".
function _M.method_hint(name)
  return options.hint(name, public_names(classes))
end

function _M.field_hint(name)
  return options.hint(name, public_names(_M.fields))
end

return _M
