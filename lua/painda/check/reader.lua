-- Reads a source once, from its first token to its last, and follows what is a server, a client, a room …: by what
-- makes them, by what handlers are given, and by `---@param` comments. What it does not know, it does not speak of.
--
-- value = { type, signature, owner, literal, variable, iterates }: what an expression may be, all of it perhaps nil

local lexer = require "painda.check.lexer"
local rules = require "painda.check.rules"
local scopes = require "painda.check.scope"
local types = require "painda.check.types"

local ipairs, setmetatable = ipairs, setmetatable
local hint = require("painda.options").hint

local BINARY, UNARY, ENDS = {}, { ["not"] = true, ["-"] = true, ["#"] = true }, {}
for word in ("+ - * / % ^ .. < > <= >= == ~= and or"):gmatch "%S+" do
  BINARY[word] = true
end
for word in ("end else elseif until"):gmatch "%S+" do
  ENDS[word] = true
end
local EVENT_METHODS = { on = true, once = true, off = true }

local Reader = {}
Reader.__index = Reader

local function token(self)
  return self.tokens[self.at]
end

local function advance(self)
  local current = self.tokens[self.at]
  self.at = self.at + 1
  return current
end

-- Is the token this keyword or operator? A string of that text is not.
local function is(self, text)
  local current = token(self)
  return current.text == text and (current.kind == "op" or current.kind == "keyword")
end

local function accept(self, text)
  if is(self, text) then
    return advance(self)
  end
end

local function complain(self, line, text)
  if not self.silent[line] then
    self.found[#self.found + 1] = { line = line, text = text }
  end
end

local expression, block

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
  if not accept(self, "(") then
    one() -- a string or a table
    return values
  end
  while not is(self, ")") do
    one()
    if not accept(self, ",") then
      break
    end
  end
  accept(self, ")")
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
  advance(self)
  local name = advance(self)
  local class = self.rules:class_of(value.type)
  local signature, kind
  if class then
    signature, kind = self.rules:member(class, name.text)
    if not kind then
      complain(self, name.line, self.rules:no_member(class, name.text))
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
      complain(self, name.line, fault)
    end
  end
  return result_of(signature, class)
end

-- --- expressions ---

local function field(self, value)
  advance(self)
  local name = advance(self)
  local class = self.rules:class_of(value.type)
  if not class then
    return {}
  end
  local member, kind = self.rules:member(class, name.text)
  local is_module = self.rules:is_module(class)
  if not kind then
    if is_module and not is(self, "=") then
      complain(self, name.line, self.rules:no_member(class, name.text))
    end
    return {}
  elseif kind == "field" then
    return { type = member }
  elseif not is_module and not class.call and is(self, "(") and class.name:find "^painda%.%u[%w]*$" then
    local first = self.tokens[self.at + 1]
    if not (first.kind == "name" and first.text == value.name) then
      complain(self, name.line, ("call it with a colon: :%s(…)"):format(name.text))
    end
  end
  return { signature = member, owner = class }
end

local function index(self, value)
  advance(self)
  expression(self)
  accept(self, "]")
  return { type = value.type and value.type:match "^(.*)%[%]%??$" }
end

local function primary(self)
  if accept(self, "(") then
    local value = expression(self)
    accept(self, ")")
    return { type = value.type }
  end
  local name = advance(self)
  local variable = self.scope:find(name.text)
  return { type = variable and variable.type, signature = variable and variable.signature, name = name.text,
    owner = variable and variable.owner, variable = variable }
end

local function suffixed(self)
  local value = primary(self)
  while true do
    local kind = token(self).kind
    if is(self, ".") then
      value = field(self, value)
    elseif is(self, "[") then
      value = index(self, value)
    elseif is(self, ":") then
      value = call_method(self, value)
    elseif is(self, "(") or is(self, "{") or kind == "string" then
      value = call(self, value)
    else
      return value
    end
  end
end

-- One entry of a table; `class` says what options there are.
local function entry(self, class)
  local name = token(self)
  local after = self.tokens[self.at + 1]
  if accept(self, "[") then
    expression(self)
    accept(self, "]")
    accept(self, "=")
    return expression(self)
  elseif name.kind ~= "name" or after.kind ~= "op" or after.text ~= "=" then
    return expression(self)
  end
  self.at = self.at + 2
  local kind = class and self.rules:member(class, name.text)
  local what = class and rules.short(class)
  self.place = what and what .. " " .. name.text
  local value = expression(self, kind)
  if class and not kind then
    local known = self.rules:option_names(class)
    complain(self, name.line, ("%s has no option %q%s"):format(what, name.text, hint(name.text, known)))
  elseif kind then
    local fault = self.rules:literal_fault(kind, value.literal)
    if fault then
      complain(self, name.line, ("%s option %q %s"):format(what, name.text, fault))
    end
  end
end

local function table_constructor(self, expected)
  advance(self)
  local class = self.rules:options_of(expected, self.place)
  while not is(self, "}") do
    entry(self, class)
    if not accept(self, ",") then
      accept(self, ";")
    end
  end
  advance(self)
  return { literal = { kind = "table" } }
end

-- The parameters and the body of a function.
local function body(self, expected, has_self)
  local notes = self.notes or {}
  self.notes = nil
  local signature = expected and types.signature((types.union(expected)[1]))
  local outer = self.scope
  self.scope = scopes.new(outer)
  if has_self then
    self.scope:declare "self"
  end
  accept(self, "(")
  local i = 0
  while not is(self, ")") do
    local parameter_token = advance(self)
    if parameter_token.kind == "name" then
      i = i + 1
      local given = signature and signature.params[i] and signature.params[i].type
      self.scope:declare(parameter_token.text, notes[parameter_token.text] or given)
    end
  end
  advance(self)
  block(self)
  accept(self, "end")
  self.scope = outer
  return { literal = { kind = "function" } }
end

local LITERALS = { ["nil"] = "nil", ["true"] = "boolean", ["false"] = "boolean" }

local function simple(self, expected)
  local current = token(self)
  if current.kind == "string" or current.kind == "number" then
    advance(self)
    return { literal = { kind = current.kind, text = current.text } }
  elseif current.kind == "keyword" and LITERALS[current.text] then
    advance(self)
    return { literal = { kind = LITERALS[current.text], text = current.text } }
  elseif accept(self, "function") then
    return body(self, expected)
  elseif is(self, "{") then
    return table_constructor(self, expected)
  elseif accept(self, "...") then
    return {}
  elseif current.kind ~= "string" and UNARY[current.text] then
    advance(self)
    local value = simple(self)
    local number = current.text == "-" and value.literal and value.literal.kind == "number" and value.literal.text
    return number and { literal = { kind = "number", text = -number } } or {}
  end
  return suffixed(self)
end

function expression(self, expected)
  local value = simple(self, expected)
  while token(self).kind ~= "string" and BINARY[token(self).text] do
    local operator = advance(self).text
    local other = simple(self, operator == "or" and expected or nil)
    value = { type = operator == "or" and (value.type or other.type) or operator == "and" and other.type or nil }
  end
  return value
end

local function expressions(self)
  local values = { expression(self) }
  while accept(self, ",") do
    values[#values + 1] = expression(self)
  end
  return values
end

-- --- statements ---

local function set(variable, value)
  variable.type, variable.signature, variable.owner = value.type, value.signature, value.owner
end

local function declare(self, names, values)
  for i, name in ipairs(names) do
    self.scope:declare(name)
    set(self.scope:find(name), values[i] or {})
  end
end

local function names(self)
  local list = { advance(self).text }
  while accept(self, ",") do
    list[#list + 1] = advance(self).text
  end
  return list
end

-- A block in a scope of its own; `declared` runs within.
local function inner(self, declared)
  local outer = self.scope
  self.scope = scopes.new(outer)
  if declared then
    declared()
  end
  block(self)
  self.scope = outer
end

local STATEMENTS = {}

function STATEMENTS.local_(self)
  if accept(self, "function") then
    self.scope:declare(advance(self).text)
    return body(self)
  end
  local list = names(self)
  declare(self, list, accept(self, "=") and expressions(self) or {})
end

STATEMENTS["function"] = function(self)
  advance(self)
  local has_self = false
  while is(self, ".") or is(self, ":") do
    has_self = advance(self).text == ":"
    advance(self)
  end
  return body(self, nil, has_self)
end

STATEMENTS["if"] = function(self)
  repeat
    expression(self)
    accept(self, "then")
    inner(self)
  until not accept(self, "elseif")
  if accept(self, "else") then
    inner(self)
  end
  accept(self, "end")
end

STATEMENTS["while"] = function(self)
  expression(self)
  accept(self, "do")
  inner(self)
  accept(self, "end")
end

STATEMENTS["do"] = function(self)
  inner(self)
  accept(self, "end")
end

STATEMENTS["for"] = function(self)
  local list = names(self)
  local values = (accept(self, "=") or accept(self, "in")) and expressions(self) or {}
  accept(self, "do")
  inner(self, function()
    declare(self, list, {})
    local kind = values[1] and values[1].iterates
    if kind and list[2] then
      self.scope:find(list[2]).type = kind
    end
  end)
  accept(self, "end")
end

STATEMENTS["repeat"] = function(self)
  local outer = self.scope
  self.scope = scopes.new(outer)
  block(self)
  accept(self, "until")
  expression(self) -- sees the locals of the block
  self.scope = outer
end

STATEMENTS["return"] = function(self)
  local current = token(self)
  if not (current.kind == "end" or ENDS[current.text] and current.kind == "keyword" or is(self, ";")) then
    expressions(self)
  end
end

STATEMENTS["break"] = function() end

-- A call, or an assignment.
local function expression_statement(self)
  local targets = { suffixed(self) }
  while accept(self, ",") do
    targets[#targets + 1] = suffixed(self)
  end
  if accept(self, "=") then
    local values = expressions(self)
    for i, target in ipairs(targets) do
      if target.variable then
        set(target.variable, values[i] or {})
      end
    end
  end
end

local function statement(self)
  local current = token(self)
  self.notes = current.notes
  if current.kind == "keyword" then
    local read = current.text == "local" and STATEMENTS.local_ or STATEMENTS[current.text]
    if read then
      advance(self)
      return read(self)
    end
  elseif accept(self, ";") then
    return
  elseif accept(self, "::") then
    self.at = self.at + 2 -- the label and what ends it
    return
  elseif current.kind == "name" and current.text == "goto" and self.tokens[self.at + 1].kind == "name" then
    self.at = self.at + 2
    return
  end
  local from = self.at
  expression_statement(self)
  if self.at == from then
    advance(self)
  end
end

function block(self)
  while true do
    local current = token(self)
    if current.kind == "end" or current.kind == "keyword" and ENDS[current.text] then
      return
    end
    statement(self)
  end
end

local _M = {}

-- What is to be said of a source that compiles: { { line, text } }.
function _M.read(source, known)
  local tokens, silent = lexer.tokens(source)
  local self = setmetatable({
    tokens = tokens,
    silent = silent,
    at = 1,
    rules = known,
    scope = scopes.new(),
    found = {},
  }, Reader)
  block(self)
  return self.found
end

return _M
