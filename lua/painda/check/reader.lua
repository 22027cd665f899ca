-- Reads a source once, from its first token to its last, and follows what is a server, a client, a room …: by what
-- makes them, by what handlers are given, and by `---@param` comments. What it does not know, it does not speak of.

local cursors = require "painda.check.cursor"
local expressions = require "painda.check.expression"

local ipairs = ipairs
local body, suffixed = expressions.body, expressions.suffixed
local expression, list = expressions.expression, expressions.list

local ENDS = {}
for word in ("end else elseif until"):gmatch "%S+" do
  ENDS[word] = true
end

local block

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
  local found = { self:advance().text }
  while self:accept(",") do
    found[#found + 1] = self:advance().text
  end
  return found
end

-- A block in a scope of its own; `declared` runs within.
local function inner(self, declared)
  self:within(function()
    if declared then
      declared()
    end
    block(self)
  end)
end

local STATEMENTS = {}

function STATEMENTS.local_(self)
  if self:accept("function") then
    self.scope:declare(self:advance().text)
    return body(self)
  end
  local wanted = names(self)
  declare(self, wanted, self:accept("=") and list(self) or {})
end

STATEMENTS["function"] = function(self)
  self:advance()
  local has_self = false
  while self:is(".") or self:is(":") do
    has_self = self:advance().text == ":"
    self:advance()
  end
  return body(self, nil, has_self)
end

STATEMENTS["if"] = function(self)
  repeat
    expression(self)
    self:accept("then")
    inner(self)
  until not self:accept("elseif")
  if self:accept("else") then
    inner(self)
  end
  self:accept("end")
end

STATEMENTS["while"] = function(self)
  expression(self)
  self:accept("do")
  inner(self)
  self:accept("end")
end

STATEMENTS["do"] = function(self)
  inner(self)
  self:accept("end")
end

STATEMENTS["for"] = function(self)
  local wanted = names(self)
  local values = (self:accept("=") or self:accept("in")) and list(self) or {}
  self:accept("do")
  inner(self, function()
    declare(self, wanted, {})
    local kind = values[1] and values[1].iterates
    if kind and wanted[2] then
      self.scope:find(wanted[2]).type = kind
    end
  end)
  self:accept("end")
end

STATEMENTS["repeat"] = function(self)
  self:within(function()
    block(self)
    self:accept "until"
    expression(self) -- sees the locals of the block
  end)
end

STATEMENTS["return"] = function(self)
  local current = self:token()
  if not (current.kind == "end" or ENDS[current.text] and current.kind == "keyword" or self:is(";")) then
    list(self)
  end
end

STATEMENTS["break"] = function() end

-- A call, or an assignment.
local function expression_statement(self)
  local targets = { suffixed(self) }
  while self:accept(",") do
    targets[#targets + 1] = suffixed(self)
  end
  if self:accept("=") then
    local values = list(self)
    for i, target in ipairs(targets) do
      if target.variable then
        set(target.variable, values[i] or {})
      end
    end
  end
end

local function statement(self)
  local current = self:token()
  self.notes = current.notes
  if current.kind == "keyword" then
    local read = current.text == "local" and STATEMENTS.local_ or STATEMENTS[current.text]
    if read then
      self:advance()
      return read(self)
    end
  elseif self:accept(";") then
    return
  elseif self:accept("::") then
    self.at = self.at + 2 -- the label and what ends it
    return
  elseif current.kind == "name" and current.text == "goto" and self.tokens[self.at + 1].kind == "name" then
    self.at = self.at + 2
    return
  end
  local from = self.at
  expression_statement(self)
  if self.at == from then
    self:advance()
  end
end

function block(self)
  while true do
    local current = self:token()
    if current.kind == "end" or current.kind == "keyword" and ENDS[current.text] then
      return
    end
    statement(self)
  end
end

local _M = {}

-- What is to be said of a source that compiles: { { line, text } }.
function _M.read(source, known)
  local cursor = cursors.new(source, known, block)
  block(cursor)
  return cursor.found
end

return _M
