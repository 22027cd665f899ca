-- Errors as values: a message for people and a code for programs.

local setmetatable, getmetatable, tostring, type, pcall = setmetatable, getmetatable, tostring, type, pcall

local Error = {}
Error.__index = Error
Error.__name = "painda.Error"

function Error:__tostring()
  return self.message
end

local _M = {}

-- A value that can't be made text must not hide what went wrong.
local function text_of(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("an error that is a %s without a text"):format(type(value))
end

-- A new error. The code is one of the protocol's, or the application's own.
function _M.new(message, code)
  return setmetatable({ message = text_of(message), code = code or "HANDLER_ERROR" }, Error)
end

-- An error of the world outside that needs no traceback to be understood, such as a port that is taken.
function _M.outside(message, code)
  local err = _M.new(message, code)
  err.plain = true
  return err
end

function _M.is(value)
  return type(value) == "table" and getmetatable(value) == Error
end

-- Makes an error of whatever was raised or passed where one is expected: a string, a table with a message, anything.
function _M.from(value, code)
  if _M.is(value) then
    return value
  end
  if type(value) == "table" and value.message ~= nil then
    return _M.new(value.message, value.code or code)
  end
  return _M.new(value, code)
end

return _M
