-- Errors as values: a message for people and a code for programs.

local options = require "painda.options"

local setmetatable, getmetatable, tostring, type, pcall = setmetatable, getmetatable, tostring, type, pcall
local require, error, getinfo = require, error, debug.getinfo

local LONGEST = 200 -- bytes of a table that are shown

local Error = {}
Error.__index = Error
Error.__name = "painda.Error"

function Error:__tostring()
  return self.message
end

local _M = {}

-- What is in a table, in one line. What shows it is loaded here, since it knows of errors itself.
local function contents(value)
  local text = require("painda.console.show").show(value):gsub("\n%s*", " ")
  return "an error that is a table: " .. options.cut(text, LONGEST)
end

-- A value that can't be made text must not hide what went wrong.
local function text_of(value)
  local meta = type(value) == "table" and getmetatable(value)
  if type(value) == "table" and not (type(meta) == "table" and meta.__tostring) then
    local ok, text = pcall(contents, value)
    return ok and text or "an error that is a table without a text"
  end
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

-- Raises a new error, or the one that is given in place of its message. It stands at `level`, as that of error(): what
-- reports it says so.
function _M.raise(message, code, level)
  local err, info = _M.is(message) and message or _M.new(message, code), getinfo(level + 1, "Sl")
  if info and info.currentline > 0 then
    err._where = info.short_src .. ":" .. info.currentline
  end
  error(err, 0)
end

-- The text of whatever was raised for a report: with its place, where it has one.
function _M.report(raised)
  local err = _M.from(raised)
  return err._where and err._where .. ": " .. err.message or err.message
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
