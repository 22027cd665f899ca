-- The query of a URL.

local string_char, tonumber = string.char, tonumber

local _M = {}

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string_char(tonumber(hex, 16))
  end))
end

-- "a=1&b=2" → { a = "1", b = "2" }. Of a name that comes twice, the first counts.
function _M.parse(text)
  local query = {}
  for pair in text:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=?(.*)$"
    name = decode(name)
    if query[name] == nil then
      query[name] = decode(value)
    end
  end
  return query
end

return _M
