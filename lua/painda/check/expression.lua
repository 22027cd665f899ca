-- Expressions, and what is known of their values: which class of the API they are, which function, which literal.
--
-- value = { type, signature, owner, literal, variable, name, iterates }, all of it perhaps nil

local rules = require "painda.check.rules"
local scopes = require "painda.check.scope"
local types = require "painda.check.types"

local ipairs = ipairs
local hint = require("painda.options").hint

local BINARY, UNARY = {}, { ["not"] = true, ["-"] = true, ["#"] = true }
for word in ("+ - * / % ^ .. < > <= >= == ~= and or"):gmatch "%S+" do
  BINARY[word] = true
end
local EVENT_METHODS = { on = true, once = true, off = true }

local PLUGIN = "painda.Plugin"

local _M = {}

local expression

-- --- calls ---

local function without_self(signature)
  local first = signature.params[1]
  return first and first.name == "self" and 1 or 0
end

-- The type of parameter `i`, where the first argument is the word `first`.
local function parameter(signature, i, first)
  for _, overload in ipairs(first and signature.overloads or {}) do
    local skip = without_self(overload)
    local named = overload.params[1 + skip]
    if named and named.type and (named.type:find('"' .. first .. '"', 1, true)) then
      return overload.params[i + skip] and overload.params[i + skip].type
    end
  end
  if not signature.params[i] then -- PPClient(url, options)
    for _, overload in ipairs(first and signature.overloads or {}) do
      if overload.params[1] and overload.params[1].type == "string" then
        return overload.params[i] and overload.params[i].type
      end
    end
  end
  return signature.params[i] and signature.params[i].type
end

-- Around the arguments of a call: the values, as they were read with what was expected of them.
local function arguments(self, signature)
  local values = {}
  local first
  local function one()
    local i = #values + 1
    values[i] = expression(self, signature and parameter(signature, i, first))
    local literal = values[i].literal
    first = i == 1 and literal and literal.kind == "string" and literal.text or first
  end
  if not self:accept("(") then
    one() -- a string or a table
    return values
  end
  while not self:is(")") do
    one()
    if not self:accept(",") then
      break
    end
  end
  self:accept(")")
  return values
end

local function result_of(signature, owner)
  local kind = signature and signature.result
  if kind == "self" then
    kind = owner and owner.name
  end
  return { type = kind }
end

-- What the functions of Lua itself mean here.
local function known_call(value, values)
  local first = values[1]
  if value.name == "require" then
    local module = first and first.literal and first.literal.text
    return { type = module }
  elseif value.name == "ipairs" or value.name == "assert" then
    local kind = first and first.type
    return value.name == "assert" and { type = kind } or { iterates = kind and kind:match "^(.*)%[%]%??$" }
  end
  return {}
end

local function call(self, value)
  local class = self.rules:class_of(value.type)
  local signature = value.signature or class and class.call
  local values = arguments(self, signature)
  if signature then
    return result_of(signature, value.owner)
  end
  return known_call(value, values)
end

local function call_method(self, value)
  self:advance()
  local name = self:advance()
  local class = self.rules:class_of(value.type)
  local signature, kind
  if class then
    signature, kind = self.rules:member(class, name.text)
    if not kind then
      self:complain(name.line, self.rules:no_member(class, name.text))
    elseif kind == "field" then
      signature = nil
    end
  end
  local values = arguments(self, signature)
  local event = signature and EVENT_METHODS[name.text] and values[1] and values[1].literal
  if event and event.kind == "string" and event.text then
    local listening = self.rules:member(class, "on")
    local fault = self.rules:event_fault(class, listening, event.text)
    if fault then
      self:complain(name.line, fault)
    end
  end
  return result_of(signature, class)
end

-- --- expressions ---

local function field(self, value)
  self:advance()
  local name = self:advance()
  local class = self.rules:class_of(value.type)
  if not class then
    return {}
  end
  local member, kind = self.rules:member(class, name.text)
  local is_module = self.rules:is_module(class)
  if not kind then
    local complaint = not self:is("=") and self.rules:field_fault(class, name.text)
    if complaint then
      self:complain(name.line, complaint)
    end
    return {}
  elseif kind == "field" then
    return { type = member }
  elseif not is_module and not class.call and self:is("(") and class.name:find "^painda%.%u[%w]*$" then
    local first = self.tokens[self.at + 1]
    if not (first.kind == "name" and first.text == value.name) then
      self:complain(name.line, ("call it with a colon: :%s(…)"):format(name.text))
    end
  end
  return { signature = member, owner = class }
end

local function index(self, value)
  self:advance()
  expression(self)
  self:accept("]")
  return { type = value.type and value.type:match "^(.*)%[%]%??$" }
end

local function primary(self)
  if self:accept("(") then
    local value = expression(self)
    self:accept(")")
    return { type = value.type }
  end
  local name = self:advance()
  local variable = self.scope:find(name.text)
  return { type = variable and variable.type, signature = variable and variable.signature, name = name.text,
    owner = variable and variable.owner, variable = variable }
end

function _M.suffixed(self)
  local value = primary(self)
  while true do
    local kind = self:token().kind
    if self:is(".") then
      value = field(self, value)
    elseif self:is("[") then
      value = index(self, value)
    elseif self:is(":") then
      value = call_method(self, value)
    elseif self:is("(") or self:is("{") or kind == "string" then
      value = call(self, value)
    else
      return value
    end
  end
end

-- One entry of a table; `class` says what options there are.
local function entry(self, class)
  local name = self:token()
  local after = self.tokens[self.at + 1]
  if self:accept("[") then
    expression(self)
    self:accept("]")
    self:accept("=")
    return expression(self)
  elseif name.kind ~= "name" or after.kind ~= "op" or after.text ~= "=" then
    return expression(self)
  end
  self.at = self.at + 2
  local kind = class and self.rules:member(class, name.text)
  local what = class and rules.short(class)
  self.place = what and what .. " " .. name.text
  local value = expression(self, kind)
  local is_open = class and class.name == PLUGIN -- which may have fields of its own
  if class and not kind and not (is_open and hint(name.text, self.rules:option_names(class)) == "") then
    local known = self.rules:option_names(class)
    self:complain(name.line, ("%s has no option %q%s"):format(what, name.text, hint(name.text, known)))
  elseif kind then
    local fault = self.rules:literal_fault(kind, value.literal)
    if fault then
      self:complain(name.line, ("%s option %q %s"):format(what, name.text, fault))
    end
  end
end

local function table_constructor(self, expected)
  self:advance()
  local class = self.rules:options_of(expected, self.place)
  while not self:is("}") do
    entry(self, class)
    if not self:accept(",") then
      self:accept(";")
    end
  end
  self:advance()
  return { literal = { kind = "table" } }
end

-- The parameters and the body of a function.
function _M.body(self, expected, has_self)
  local notes = self.notes or {}
  self.notes = nil
  local signature = expected and types.signature((types.union(expected)[1]))
  local outer = self.scope
  self.scope = scopes.new(outer)
  if has_self then
    self.scope:declare "self"
  end
  self:accept("(")
  local i = 0
  while not self:is(")") do
    local parameter_token = self:advance()
    if parameter_token.kind == "name" then
      i = i + 1
      local given = signature and signature.params[i] and signature.params[i].type
      self.scope:declare(parameter_token.text, notes[parameter_token.text] or given)
    end
  end
  self:advance()
  self:block()
  self:accept("end")
  self.scope = outer
  return { literal = { kind = "function" } }
end

local LITERALS = { ["nil"] = "nil", ["true"] = "boolean", ["false"] = "boolean" }

local function simple(self, expected)
  local current = self:token()
  if current.kind == "string" or current.kind == "number" then
    self:advance()
    return { literal = { kind = current.kind, text = current.text } }
  elseif current.kind == "keyword" and LITERALS[current.text] then
    self:advance()
    return { literal = { kind = LITERALS[current.text], text = current.text } }
  elseif self:accept("function") then
    return _M.body(self, expected)
  elseif self:is("{") then
    return table_constructor(self, expected)
  elseif self:accept("...") then
    return {}
  elseif current.kind ~= "string" and UNARY[current.text] then
    self:advance()
    local value = simple(self)
    local number = current.text == "-" and value.literal and value.literal.kind == "number" and value.literal.text
    return number and { literal = { kind = "number", text = -number } } or {}
  end
  return _M.suffixed(self)
end

function expression(self, expected)
  local value = simple(self, expected)
  while self:token().kind ~= "string" and BINARY[self:token().text] do
    local operator = self:advance().text
    local other = simple(self, operator == "or" and expected or nil)
    value = { type = operator == "or" and (value.type or other.type) or operator == "and" and other.type or nil }
  end
  return value
end

function _M.list(self)
  local values = { expression(self) }
  while self:accept(",") do
    values[#values + 1] = expression(self)
  end
  return values
end

_M.expression = expression

return _M
