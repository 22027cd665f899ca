-- Values as a person reads them: bounded in depth, entries and bytes, whatever they are, and without a byte that a
-- terminal obeys.
--
--   show(value) → text      { name = "Ann", at = { 1, 2 }, client = <client 4f…> }

local ffi = require "ffi"
local json = require "painda.core.json"
local check = require "painda.declared.check"
local harmless = require("painda.control.text").harmless

local type, tostring, tonumber, pairs, ipairs, next, pcall = type, tostring, tonumber, pairs, ipairs, next, pcall
local rawget, rawequal, getmetatable = rawget, rawequal, debug.getmetatable
local concat, sort, floor = table.concat, table.sort, math.floor

local DEPTH, ENTRIES, BYTES, STRING = 6, 100, 32 * 1024, 2000
local WIDTH = 76 -- of a table on one line
local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do
  KEYWORDS[word] = true
end

local function quoted(text)
  local cut = #text > STRING and (" … (%d bytes)"):format(#text) or ""
  local escaped = text:sub(1, STRING):gsub('[\\"]', "\\%0")
  return '"' .. harmless(escaped) .. '"' .. cut
end

-- The fewest digits that are read as the same number.
local function number_text(n)
  for digits = 14, 17 do
    local text = ("%." .. digits .. "g"):format(n)
    if tonumber(text) == n then
      return text
    end
  end
  return tostring(n)
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not KEYWORDS[key] then
    return key
  end
  local text = type(key) == "string" and quoted(key) or type(key) == "number" and number_text(key)
  return "[" .. (text or harmless(tostring(key))) .. "]"
end

local function by_kind(a, b)
  local ka, kb = type(a), type(b)
  if ka ~= kb then
    return ka == "number" or kb ~= "number" and ka < kb
  end
  if ka == "number" or ka == "string" then
    return a < b
  end
  return tostring(a) < tostring(b)
end

local describe = {} -- __name of a metatable → fn(value): what stands for it in a list
local show_value

local function name_of(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name or nil
end

-- What a table calls itself, if it has words for it.
local function own_words(value)
  local meta, name = getmetatable(value), name_of(value)
  if name and describe[name] or type(meta) == "table" and rawget(meta, "__tostring") then
    local ok, text = pcall(describe[name] or tostring, value)
    return "<" .. harmless(ok and tostring(text) or "its __tostring fails") .. ">"
  end
end

-- An object of the API, in one line: what is in it is the runtime's; nil for what is none. Classes have a capital,
-- which painda.array has not.
local function our_words(value)
  local ours = (name_of(value) or ""):match "^painda%.(.*%u.*)$"
  return ours and (own_words(value) or "<" .. ours .. ">")
end

-- The pieces of a table: list items without keys first, then the rest by key.
local function pieces(value, out, depth)
  local list, keys, more = {}, {}, 0
  local length = type(value) == "table" and #value or 0
  for i = 1, length do
    if i > ENTRIES or out.bytes > BYTES then
      more = length - i + 1
      break
    end
    list[i] = show_value(value[i], out, depth + 1)
  end
  local walk, of, first = next, value, nil
  if type(value) ~= "table" then
    walk, of, first = pairs(value)
  end
  for key in walk, of, first do
    local in_list = type(key) == "number" and key >= 1 and key <= length and key == floor(key)
    if not in_list then
      keys[#keys + 1] = key
    end
  end
  sort(keys, by_kind)
  for i, key in ipairs(keys) do
    if #list >= ENTRIES or out.bytes > BYTES then
      more = more + #keys - i + 1
      break
    end
    list[#list + 1] = key_text(key) .. " = " .. show_value(value[key], out, depth + 1)
  end
  if more > 0 then
    list[#list + 1] = ("… %d more"):format(more)
  end
  return list
end

local function show_table(value, out, depth)
  if out.open[value] then
    return "<itself>"
  elseif depth >= DEPTH then
    return "{…}"
  end
  out.open[value] = true
  local list = pieces(value, out, depth)
  out.open[value] = nil
  local size = 0
  for i = 1, #list do
    size = size + #list[i] + 2
    if list[i]:find("\n", 1, true) then
      size = WIDTH + 1
    end
  end
  if #list == 0 then
    return "{}"
  elseif size + 2 * depth <= WIDTH then
    return "{ " .. concat(list, ", ") .. " }"
  end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. concat(list, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

function show_value(value, out, depth)
  local kind = type(value)
  local text
  if kind == "string" then
    text = quoted(value)
  elseif rawequal(value, json.null) then
    text = "null"
  elseif kind == "table" then
    text = our_words(value) or depth > 0 and own_words(value) or show_table(value, out, depth)
  elseif kind == "cdata" and check.is_view(value) then
    text = show_table(value, out, depth)
  elseif kind == "cdata" then
    text = "<" .. harmless(tostring(ffi.typeof(value))) .. ">"
  elseif kind == "number" then
    text = number_text(value)
  elseif kind == "function" then
    local info = debug.getinfo(value, "S")
    text = info.what == "C" and "<function>" or ("<function %s:%d>"):format(harmless(info.short_src), info.linedefined)
  else
    text = kind == "userdata" and "<" .. harmless(tostring(value)) .. ">" or tostring(value)
  end
  out.bytes = out.bytes + #text
  return text
end

-- `text`: __name of a metatable → fn(value): what is shown in its place as it is, over several lines.
local _M = { describe = describe, text = {} }

-- A value that a person asked for: its own words first, then what is in it.
function _M.show(value)
  local verbatim = _M.text[name_of(value) or false]
  if verbatim then
    return verbatim(value)
  end
  local words = type(value) == "table" and not our_words(value) and own_words(value)
  local text = show_value(value, { bytes = 0, open = {} }, 0)
  return words and text ~= "{}" and words .. " " .. text or words or text
end

return _M
