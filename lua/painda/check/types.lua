-- The API as `painda check` knows it: read from the types for editors, which are part of the program and which the
-- tests hold against the real tables.
--
--   class     = { name, parent, fields = { name → type }, methods = { name → signature }, call = signature }
--   signature = { params = { { name, type } }, result = type, overloads = { signature } }
--
-- A type is the text of an annotation, such as "painda.Client[]" or '"close" | "drop"'.

local files = require "painda.core.files"

local pairs, ipairs, setmetatable = pairs, ipairs, setmetatable

local _M = {}

-- Splits at the commas (or what `separator` is) that stand in no brackets and no quotes.
local function split(text, separator)
  local parts, depth, from, in_quotes = {}, 0, 1, false
  for i = 1, #text do
    local character = text:sub(i, i)
    if character == '"' then
      in_quotes = not in_quotes
    elseif not in_quotes and character:find "[({<%[]" then
      depth = depth + 1
    elseif not in_quotes and character:find "[)}>%]]" then
      depth = depth - 1
    elseif not in_quotes and character == separator and depth == 0 then
      parts[#parts + 1] = text:sub(from, i - 1)
      from = i + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  for i, part in ipairs(parts) do
    parts[i] = part:match "^%s*(.-)%s*$"
  end
  return parts
end

-- The first type of an annotation's text, whose rest is words for people.
local function first_type(text)
  local depth, in_quotes = 0, false
  for i = 1, #text do
    local character = text:sub(i, i)
    if character == '"' then
      in_quotes = not in_quotes
    elseif not in_quotes and character:find "[({<]" then
      depth = depth + 1
    elseif not in_quotes and character:find "[)}>]" then
      depth = depth - 1
    elseif not in_quotes and depth == 0 and character == " " then
      local before, after = text:sub(1, i - 1), text:sub(i + 1)
      if not (before:find "[|:,]$" or after:find "^[|]") then
        return before
      end
    end
  end
  return text
end

-- "fun(client: painda.Client, reason?: string): boolean" → a signature, or nil.
function _M.signature(text)
  local inside, after = text:match "^fun(%b())(.*)$"
  if not inside then
    return nil
  end
  local params = {}
  for _, part in ipairs(split(inside:sub(2, -2), ",")) do
    local name, kind = part:match "^([%w_.]+)%??:%s*(.+)$"
    if part ~= "" then
      params[#params + 1] = { name = name or part, type = kind }
    end
  end
  return { params = params, result = after:match "^:%s*(.+)$", overloads = {} }
end

-- The alternatives of a type.
function _M.union(text)
  return split(text, "|")
end

-- "cert: string, key?: string" → name → type
function _M.fields(text)
  local fields = {}
  for _, part in ipairs(split(text, ",")) do
    local name, kind = part:match "^([%w_]+)%??:%s*(.+)$"
    if name then
      fields[name] = kind
    end
  end
  return fields
end

local Reader = {}
Reader.__index = Reader

local function new_class(self, name, parent)
  local class = self.classes[name] or { name = name, fields = {}, methods = {} }
  class.parent = parent ~= "" and parent or class.parent
  self.classes[name] = class
  return class
end

-- What stands above a function, as its signature; and a new start.
local function take(self)
  local signature = { params = self.params, result = self.result, overloads = self.overloads }
  self.params, self.result, self.overloads = {}, nil, {}
  return signature
end

local LINES = {
  {
    "^%-%-%-@class ([%w_.]+):?%s*([%w_.]*)",
    function(self, name, parent)
      self.class = new_class(self, name, parent)
      self.pending = self.class
    end,
  },
  {
    "^%-%-%-@alias ([%w_.]+) (fun.+)$",
    function(self, name, text)
      self.aliases[name] = first_type(text)
    end,
  },
  {
    "^%-%-%-@field ([%w_]+)%??%s+(.+)$",
    function(self, name, text)
      self.class.fields[name] = first_type(text)
    end,
  },
  {
    "^%-%-%-@param ([%w_.]+)%??%s+(.+)$",
    function(self, name, text)
      self.params[#self.params + 1] = { name = name, type = first_type(text) }
    end,
  },
  {
    "^%-%-%-@return (.+)$",
    function(self, text)
      self.result = self.result or first_type(text)
    end,
  },
  {
    "^%-%-%-@overload (fun.+)$",
    function(self, text)
      self.overloads[#self.overloads + 1] = _M.signature(text)
    end,
  },
  {
    "^local ([%w_]+) = {}",
    function(self, variable)
      local class = self.pending or new_class(self, self.module)
      self.variables[variable] = class
      if self.overloads[1] then
        class.call = take(self).overloads[1]
      end
      self.pending = nil
    end,
  },
  {
    "^function ([%w_]+)[.:]([%w_]+)%(",
    function(self, variable, name)
      local class = self.variables[variable]
      local signature = take(self)
      if class then
        class.methods[name] = signature
      end
    end,
  },
  {
    "^painda%.([%w_]+) = require%(\"([%w_.]+)\"%)%.([%w_]+)",
    function(self, name, module, field)
      self.borrowed[#self.borrowed + 1] = { name, module, field }
    end,
  },
}

local function read(self, text)
  self.module = text:match "^%-%-%-@meta ([%w_.]+)"
  self.variables, self.params, self.overloads, self.pending = {}, {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    for _, rule in ipairs(LINES) do
      local first, second, third = line:match(rule[1])
      if first then
        rule[2](self, first, second, third)
        break
      end
    end
  end
end

-- Puts what the names of functions' types stand for in their place.
local function resolve(self)
  for _, class in pairs(self.classes) do
    for _, signature in pairs(class.methods) do
      for _, param in ipairs(signature.params) do
        param.type = self.aliases[param.type] or param.type
      end
    end
  end
end

-- The classes by name.
function _M.load()
  local reader = setmetatable({ classes = {}, aliases = {}, borrowed = {} }, Reader)
  for _, text in pairs(files.embedded "types") do
    read(reader, text)
  end
  local api = reader.classes.painda
  for _, entry in ipairs(reader.borrowed) do
    local module = reader.classes[entry[2]]
    api.methods[entry[1]] = module and module.methods[entry[3]] or { params = {}, overloads = {} }
  end
  resolve(reader)
  return reader.classes
end

return _M
