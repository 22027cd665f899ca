-- One request and its answer, as handlers see them.

local core = require "painda.core.http"
local api = require "painda.api"
local json = require "painda.core.json"
local queries = require "painda.query"
local shown = require("painda.options").shown

local setmetatable, rawset, type, error, tostring = setmetatable, rawset, type, error, tostring
local concat = table.concat

local _M = {}

-- --- the request ---

local Request = {}

-- The body as JSON: the value, or nil and what is wrong with it.
function Request:json()
  if self.body == "" then
    return nil, "the body is empty"
  end
  return json.decode(self.body)
end

-- The well-known headers, listed; any other is looked up when it is asked for, while the request is open.
local function parse_headers(text, raw)
  local headers = {}
  for name, value in text:gmatch "([^:\n]+): ([^\n]*)\n" do
    headers[name] = value
  end
  return setmetatable(headers, {
    __index = function(self, name)
      local value = type(name) == "string" and raw:header(name:lower()) or nil
      if value ~= nil then
        rawset(self, name, value)
      end
      return value
    end,
  })
end

local request_metatable = { __name = "painda.HttpRequest" }

function request_metatable.__index(self, name)
  if name == "query" then
    rawset(self, "query", queries.parse(self._query))
    return self.query
  elseif name == "headers" then
    rawset(self, "headers", parse_headers(self._headers, self._raw))
    return self.headers
  end
  return Request[name]
end

-- --- the answer ---

local Response = { __name = "painda.HttpResponse" }
Response.__index = Response

-- Set by the server itself.
local RESERVED = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true, date = true }

-- False once it was answered or the client left.
function Response:isOpen()
  return self._raw:is_open()
end

function Response:status(code)
  if type(code) ~= "number" or code % 1 ~= 0 or code < 200 or code > 599 then
    error(("a status is a whole number from 200 to 599, not %s"):format(shown(code)), 2)
  end
  self._status = code
  return self
end

local function set(self, name, value)
  local fields = self._fields
  if name ~= "set-cookie" then
    for i = 1, #fields, 2 do
      if fields[i] == name then
        fields[i + 1] = value
        return
      end
    end
  end
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end

-- Sets a header, in place of an earlier value; only set-cookie may stand more than once.
function Response:header(name, value)
  if type(name) ~= "string" or (type(value) ~= "string" and type(value) ~= "number") then
    error(("a header is a name and a string, not %s and %s"):format(type(name), type(value)), 2)
  end
  value = tostring(value)
  if not core.field_is_clean(name, "") then
    error(("%q is not the name of a header"):format(name), 2)
  end
  if not core.field_is_clean(name, value) then
    error(("the value of the header %s has a control character: it can't be sent"):format(name), 2)
  end
  name = name:lower()
  if RESERVED[name] then
    error(("the header %s is set by the server"):format(name), 2)
  end
  set(self, name, value)
  return self
end

local function has(self, name)
  for i = 1, #self._fields, 2 do
    if self._fields[i] == name then
      return true
    end
  end
  return false
end

-- Its callers keep their frame (no tail call), so that an error names the handler's line.
local function answer(self, body, kind)
  if self.answered then
    error("this request was answered already", 3)
  end
  if kind and not has(self, "content-type") then
    set(self, "content-type", kind)
  end
  local fields, lines = self._fields, {}
  for i = 1, #fields, 2 do
    lines[#lines + 1] = fields[i] .. ": " .. fields[i + 1] .. "\n"
  end
  if not self._raw:answer(self._status, concat(lines), body) then
    return nil, "closed"
  end
  self.answered = true
  return true
end

-- Sends a string, text unless a content-type was set. True; or nil, "closed" where the client has left.
function Response:send(body)
  local kind = type(body)
  if kind == "number" then
    body = tostring(body)
  elseif kind ~= "string" and body ~= nil then
    error(("res:send takes a string, not a %s%s"):format(kind, kind == "table" and " (that is res:json)" or ""), 2)
  end
  local ok, err = answer(self, body or "", body and "text/plain; charset=utf-8" or nil)
  return ok, err
end

Response.text = Response.send

function Response:html(body)
  if type(body) ~= "string" then
    error(("res:html takes a string, not a %s"):format(type(body)), 2)
  end
  local ok, err = answer(self, body, "text/html; charset=utf-8")
  return ok, err
end

function Response:json(value)
  local body, wrong = json.encode(value)
  if not body then
    error("res:json: " .. wrong, 2)
  end
  local ok, err = answer(self, body, "application/json")
  return ok, err
end

-- Sends the client to another place, with status 302 or another of its kind.
function Response:redirect(location, status)
  status = status or 302
  if type(status) ~= "number" or status < 300 or status > 399 then
    error(("the status of a redirect is from 300 to 399, not %s"):format(shown(status)), 2)
  end
  if type(location) ~= "string" or not core.field_is_clean("location", location) then
    error(("res:redirect takes the address to go to, not %s"):format(shown(location)), 2)
  end
  set(self, "location", location)
  self._status = status
  local ok, err = answer(self, "", nil)
  return ok, err
end

api.class("req", Request, request_metatable)
api.class("res", Response, Response)

-- --- both ---

function _M.new(raw)
  local method, path, query, headers, address, secure, body = raw:read()
  local req = setmetatable({
    method = method,
    path = path,
    address = address,
    secure = secure,
    body = body,
    params = {},
    _query = query,
    _headers = headers,
    _raw = raw,
  }, request_metatable)
  return req, setmetatable({ _raw = raw, _status = 200, _fields = {}, answered = false }, Response)
end

-- Answers with an error of one line, where it is still to be answered; headers that were set for another answer are
-- dropped, but for `allow`.
function _M.fail(res, status, text)
  local allowed
  for i = 1, #res._fields, 2 do
    if res._fields[i] == "allow" then
      allowed = res._fields[i + 1]
    end
  end
  local fields = "content-type: text/plain; charset=utf-8\n" .. (allowed and "allow: " .. allowed .. "\n" or "")
  if res._raw:answer(status, fields, text .. "\n") then
    res.answered = true
  end
end

return _M
