-- What `painda check` has to say of a use of the API: an option, a method, an event that there is not.

local options = require "painda.options"
local slips = require "painda.slips"
local types = require "painda.check.types"

local pairs, ipairs, tostring, setmetatable = pairs, ipairs, tostring, setmetatable
local concat, sort = table.concat, table.sort

local SHORTEST = 5 -- letters of a field that is taken for a slip

local _M = {}

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  sort(names)
  return names
end

-- --- classes ---

local Rules = {}
Rules.__index = Rules

function _M.new()
  return setmetatable({ classes = types.load() }, Rules)
end

-- The class that a type's text names, if only among others; nil for what is no class.
function Rules:class_of(kind)
  if not kind then
    return nil
  end
  for _, part in ipairs(types.union(kind)) do
    local class = self.classes[(part:gsub("%?$", ""))]
    if class then
      return class
    end
  end
end

-- A field or method of the class, or of what it inherits: (type or signature), "field" or "method".
function Rules:member(class, name)
  while class do
    if class.methods[name] then
      return class.methods[name], "method"
    elseif class.fields[name] then
      return class.fields[name], "field"
    end
    class = self.classes[class.parent]
  end
end

local function all_members(self, class)
  local names = {}
  while class do
    for _, set in ipairs { class.methods, class.fields } do
      for name in pairs(set) do
        names[name] = true
      end
    end
    class = self.classes[class.parent]
  end
  return sorted(names)
end

-- A class as people call it: "PPServer" for painda.PPServer, and for its options.
function _M.short(class)
  return (class.name:gsub("^painda%.", ""):gsub("%.Options$", ""))
end

-- Modules are tables of functions, all others objects with methods.
function Rules.is_module(_, class)
  return not class.name:match("[^.]*$"):find "^%u"
end

function Rules:no_member(class, name)
  local is_module = self:is_module(class)
  local what = is_module and class.name or _M.short(class)
  local meant = options.hint(name, all_members(self, class))
  return ("%s has no %s%q%s"):format(what, is_module and "" or "method ", name, meant)
end

-- What is wrong with a field that is read and that there is not. An object may have fields of the application's: only
-- what is but a letter off one of the API's is taken for a slip.
function Rules:field_fault(class, name)
  if self:is_module(class) then
    return self:no_member(class, name)
  end
  local meant = #name >= SHORTEST and options.nearest(name, all_members(self, class), 1)
  return meant and ("%s has no %q, did you mean %q?"):format(_M.short(class), name, meant) or nil
end

-- --- events ---

local SIDES = { ["painda.PPServer"] = "server", ["painda.Client"] = "client" }

-- The quoted words among the alternatives of a type, and whether any other string will do too.
local function words_of(kind, into)
  local is_open = false
  for _, part in ipairs(types.union(kind or "string")) do
    local word = part:match '^"(.*)"%??$'
    if word then
      into[word] = true
    else
      is_open = true
    end
  end
  return is_open
end

-- What is wrong with the name of an event given to object:on, once or off; nil where nothing is.
function Rules.event_fault(_, class, signature, name)
  local words = {}
  local is_open = words_of(signature.params[1] and signature.params[1].type, words)
  for _, overload in ipairs(signature.overloads) do
    local first = overload.params[1] and overload.params[1].name == "self" and 2 or 1
    words_of(overload.params[first] and overload.params[first].type, words)
  end
  if words[name] then
    return nil
  end
  local events = sorted(words)
  if not is_open then
    return ("%s has no event %q%s"):format(_M.short(class), name, options.hint_of_few(name, events))
  end
  local meant = slips.meant(SIDES[class.name], name, events)
  return meant and ("%q would be a message type; %s has an event %q"):format(name, _M.short(class), meant) or nil
end

-- --- options ---

local function is_options(name)
  return name:find "Options$" or name:find "^painda%.PPServer%.%u" or name == "painda.Plugin"
end

-- The table of options that a type asks for: { name, fields }, or nil. `place` names what has no class of its own.
function Rules:options_of(kind, place)
  for _, part in ipairs(kind and types.union(kind) or {}) do
    local class = self.classes[(part:gsub("%?$", ""))]
    if class and is_options(class.name) and not class.methods.new then
      return class
    end
    local inline = part:match "^{(.*)}$"
    if inline and not inline:find "^%s*%[" then
      return { name = place or "this table", fields = types.fields(inline), methods = {} }
    end
  end
end

function Rules:option_names(class)
  return all_members(self, class)
end

local function word_for(kind)
  return (kind:find "^[aeiou]" and "an " or "a ") .. kind
end

-- Does a literal fit one alternative of a type? True also where nothing is known of that.
local function fits(part, literal)
  part = part:gsub("%?$", "")
  local word = part:match '^"(.*)"$'
  local is_word = word and literal.kind == "string" and (word == literal.text or not literal.text)
  if part == "any" or part == literal.kind or is_word then
    return true
  elseif part == "integer" then
    return literal.kind == "number" and literal.text % 1 == 0
  elseif part == "function" or part:find "^fun%(" then
    return literal.kind == "function"
  elseif part:find "%[%]$" or part:find "^{" or part:find "^table" then
    return literal.kind == "table"
  end
  local plain = word or part == "string" or part == "number" or part == "boolean" or part == "lightuserdata"
  return not plain and literal.kind == "table" or not plain and not part:find "^painda%.PP"
end

-- What is wrong with a literal where a value of that type is expected; nil where nothing is.
function Rules.literal_fault(_, kind, literal)
  if not kind or not literal or literal.kind == "nil" then
    return nil
  end
  local parts = types.union(kind)
  for i, part in ipairs(parts) do
    if fits(part, literal) then
      return nil
    end
    parts[i] = part:find '^"' and part or word_for(part)
  end
  local given = literal.kind == "string" and ("%q"):format(literal.text or "…")
    or (literal.kind == "number" or literal.kind == "boolean") and tostring(literal.text)
    or word_for(literal.kind)
  return ("takes %s, not %s"):format(concat(parts, " or "), given)
end

return _M
