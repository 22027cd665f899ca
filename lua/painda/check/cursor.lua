-- Where the reading of a source is: its tokens one after the other, and what was found so far.

local lexer = require "painda.check.lexer"
local scopes = require "painda.check.scope"

local setmetatable = setmetatable

local Cursor = {}
Cursor.__index = Cursor

function Cursor:token()
  return self.tokens[self.at]
end

function Cursor:advance()
  local current = self.tokens[self.at]
  self.at = self.at + 1
  return current
end

-- Is the token this keyword or operator? A string of that text is not.
function Cursor:is(text)
  local current = self.tokens[self.at]
  return current.text == text and (current.kind == "op" or current.kind == "keyword")
end

function Cursor:accept(text)
  if self:is(text) then
    return self:advance()
  end
end

function Cursor:complain(line, text)
  if not self.silent[line] then
    self.found[#self.found + 1] = { line = line, text = text }
  end
end

-- Runs fn in a scope of its own.
function Cursor:within(fn)
  local outer = self.scope
  self.scope = scopes.new(outer)
  fn()
  self.scope = outer
end

local _M = {}

-- At the begin of a source; `rules` is what is known of the API, block(cursor) reads statements to the end of a block.
function _M.new(source, rules, block)
  local tokens, silent = lexer.tokens(source)
  return setmetatable({
    tokens = tokens,
    silent = silent, -- lines of which nothing is said
    at = 1,
    rules = rules,
    block = block,
    scope = scopes.new(),
    found = {}, -- { line, text }
    notes = nil, -- what comments above the statement say of parameters
    place = nil, -- which option's value is read: "PPServer tls"
  }, Cursor)
end

return _M
