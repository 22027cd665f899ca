-- What the name at the end of a line may become. Fields are looked at and nothing is called.

local json = require "painda.json"
local names = require "painda.console.names"
local harmless = require("painda.control.text").harmless

local type, pairs, ipairs, pcall = type, pairs, ipairs, pcall
local rawget, next = rawget, next
local getmetatable = debug.getmetatable

local MOST = 200 -- words

local _M = {}

local function is_name(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil
end

-- Adds the names of a value's fields, and of what it inherits.
local function gather(value, into, depth)
  local meta = getmetatable(value)
  if type(value) == "table" then
    for key in next, value do
      if is_name(key) then
        into[key] = true
      end
    end
  end
  if type(meta) ~= "table" or depth > 8 then
    return
  end
  local index = rawget(meta, "__index")
  local methods = names.methods[rawget(meta, "__name")]
  if methods then
    gather(methods, into, depth + 1)
  end
  if type(index) == "table" then
    gather(index, into, depth + 1)
  end
end

-- The value of a path of names such as `server.options`, or nil.
local function resolve(env, path)
  local value = env
  for name in path:gmatch "[%a_][%w_]*" do
    local ok, found = pcall(function()
      return value[name]
    end)
    if not ok or found == nil then
      return nil
    end
    value = found
  end
  return value
end

-- The names of rooms, or the ids of clients, where the argument of room or client is being typed.
local function argument(line)
  local called, word = line:match "([%a]+)%s*%(?%s*[\"']([^\"']*)$"
  local known = {}
  if called == "room" then
    known = names.rooms()
  elseif called == "client" then
    for _, client in ipairs(names.clients()) do
      known[client.id] = true
    end
  else
    return nil
  end
  return known, word
end

local function sorted(words, from)
  table.sort(words)
  for i = #words, MOST + 1, -1 do
    words[i] = nil
  end
  return { from = from, words = json.array(words) }
end

-- { from = bytes of the line before the word, words = sorted }
function _M.words(line, env)
  local arguments, typed = argument(line)
  if arguments then
    local fitting = {}
    for text in pairs(arguments) do
      if text:sub(1, #typed) == typed and not text:find "[\"'\\]" and harmless(text) == text then
        fitting[#fitting + 1] = text
      end
    end
    return sorted(fitting, #line - #typed)
  end
  local path, separator, word = line:match "([%a_][%w_.]*)([.:])([%w_]*)$"
  local known = {}
  if path then
    local value = resolve(env, path)
    if value ~= nil then
      gather(value, known, 0)
    end
  elseif not line:find "[.:)%]][%w_]*$" then -- of the result of a call nothing is known
    word = line:match "[%a_][%w_]*$" or ""
    known = names.known()
    gather(env, known, 0)
  end
  local words = {}
  for name in pairs(known) do
    local hidden = name:find "^_" and word == ""
    local fits = name:sub(1, #(word or "")) == word and not hidden
    if fits and (separator ~= ":" or type(resolve(env, path .. "." .. name)) == "function") and is_name(name) then
      words[#words + 1] = name
    end
  end
  return sorted(words, #line - #(word or ""))
end

return _M
