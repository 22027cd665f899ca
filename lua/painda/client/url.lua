-- The addresses that a client connects to.
--
--   ws://host[:port][/path][?query]     wss://…     ws+unix:/path/of/socket[:/path[?query]]
--
-- http:// and https:// are taken for ws:// and wss://: so what a page is served from is its server's address too.

local type, tonumber = type, tonumber

local _M = {}

local PORTS = { ws = 80, wss = 443, http = 80, https = 443 }
local EXAMPLE = "ws://localhost:3000"

-- Spaces and what is not ASCII; a percent sign is taken to be an encoding that is there already.
local function encode(text)
  return (text:gsub("[^\33-\126]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

-- Encodes a value for a query string.
function _M.escape(text)
  return (text:gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local function split_path(rest)
  rest = rest:gsub("#.*$", "")
  local path, query = rest:match "^([^?]*)%??(.*)$"
  return encode(path == "" and "/" or path), query ~= "" and encode(query) or nil
end

local function parse_unix(rest)
  local socket, target = rest:match "^([^:]+):?(.*)$"
  if not socket then
    return nil, "has no socket, as in ws+unix:/run/app.sock:/path"
  end
  local path, query = split_path(target)
  return { unixPath = socket, path = path, query = query, secure = false }
end

-- "host", "host:port", "[::1]:port" → host, port; nil where it is neither.
local function split_authority(text)
  local host, port = text:match "^%[([%x:.%%]+)%]:?(%d*)$"
  if not host then
    host, port = text:match "^([^:%[%]%s]+):?(%d*)$"
  end
  return host, port
end

-- Returns { host, port, path, query, secure } or { unixPath, path, query }; nil and what is wrong with it.
function _M.parse(url)
  if type(url) ~= "string" then
    return nil, "must be a string such as " .. EXAMPLE
  end
  if url:find "^ws%+unix:" then
    return parse_unix(url:sub(9))
  end
  local scheme, authority, rest = url:match "^(%a[%w+.-]*)://([^/?#]*)(.*)$"
  if not scheme then
    return nil, ("%q has no scheme, as in %s"):format(url, EXAMPLE)
  end
  local default_port = PORTS[scheme:lower()]
  if not default_port then
    return nil, ("%q must begin with ws:// or wss://"):format(url)
  end
  if authority:find "@" then
    return nil, "must not hold a name and password: use getToken, or the option headers"
  end
  local host, port = split_authority(authority)
  local number = host and (port == "" and default_port or tonumber(port))
  if not number or number > 65535 or number < 1 then
    return nil, ("%q has no host and port, as in %s"):format(url, EXAMPLE)
  end
  local path, query = split_path(rest)
  return { host = host, port = number, path = path, query = query, secure = default_port == 443 }
end

return _M
