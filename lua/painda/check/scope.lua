-- The variables that are in sight, by name, and what is known of their types.

local setmetatable = setmetatable

local Scope = {}
Scope.__index = Scope

local _M = {}

function _M.new(outer)
  return setmetatable({ outer = outer, variables = {} }, Scope)
end

-- A local variable that begins here; `kind` may be nil.
function Scope:declare(name, kind)
  self.variables[name] = { type = kind }
end

-- The variable of that name, or nil for a global that nothing is known of.
function Scope:find(name)
  local scope = self
  while scope do
    local variable = scope.variables[name]
    if variable then
      return variable
    end
    scope = scope.outer
  end
end

return _M
