-- Acks: a message may ask for an answer, in both directions. Each side numbers its own questions, so an ack id means
-- nothing on any other connection.

local json = require "painda.core.json"
local runtime = require "painda.core.runtime"
local arguments = require "painda.arguments"
local Error = require "painda.error"
local task = require "painda.task"
local tasks = require "painda.reload.tasks"

local setmetatable, next, type, error = setmetatable, next, type, error
local new_timer, spawn = runtime.timer, runtime.spawn

local Pending = { retired = 0 }
Pending.__index = Pending

local _M = {}

-- The questions that one side of a connection has open: at most `limit`.
function _M.pending(limit)
  return setmetatable({ last = 0, count = 0, limit = limit, open = {} }, Pending)
end

-- Opens a question: callback(err, response) is called once, as a task. Returns its id. Misuse raises where the method
-- that asks was called.
function Pending:ask(callback, timeout)
  if type(callback) ~= "function" then
    error("the callback of an ack is a function, not a " .. type(callback), 4)
  end
  if self.count >= self.limit then
    error(("more than %d acks are pending on this connection (maxPendingAcks)"):format(self.limit), 4)
  end
  local generation = tasks.generation()
  if generation then -- not of the code that serves: what it calls back is neither
    callback = tasks.as(generation, callback)
  end
  local id = self.last + 1
  self.last = id
  local timer = new_timer(function()
    self:answer(id, Error.new(("no ack within %d ms"):format(timeout), "TIMEOUT_ERROR"))
  end)
  timer:start(timeout)
  self.count = self.count + 1
  self.open[id] = { callback = callback, timer = timer }
  return id
end

-- Answers a question; one that is unknown, late or answered already is ignored (false).
function Pending:answer(id, err, response)
  local question = self.open[id]
  if not question then
    return false
  end
  self.open[id] = nil
  self.count = self.count - 1
  question.timer:stop()
  local callback = question.callback
  spawn(id <= self.retired and tasks.as(self.asker, callback) or callback, err, response)
  return true
end

-- The questions that are open were asked by a generation that was replaced: their callbacks belong to it.
function Pending:retire(generation)
  if self.count > 0 then
    self.retired, self.asker = self.last, { id = generation.id } -- which does not hold it
  end
end

-- Takes what a peer sent as `__pp_ack`. False for anything that is not an answer to an open question.
function Pending:on_ack(payload)
  if type(payload) ~= "table" then
    return false
  end
  local err, args = payload.error, payload.args
  if type(err) == "table" then
    return self:answer(payload.ackId, Error.from(err))
  end
  local response = type(args) == "table" and args[1] or nil
  return self:answer(payload.ackId, nil, response)
end

-- The connection is gone: every open question fails.
function Pending:fail(message, code)
  while true do
    local id = next(self.open)
    if not id then
      return
    end
    self:answer(id, Error.new(message, code))
  end
end

-- Asks and waits, for a method `what`: ask(callback) must send the question. What can't be sent raises at the caller's
-- line; who asks this ends in a tail call, so that it is that of the application. Returns the response, or nil and the
-- error.
function _M.wait(what, mtype, ask)
  local waiter = task.waiter()
  local ok, err, code = ask(function(failed, response)
    waiter:wake(failed, response)
  end)
  if not ok and code == "ENCODE_ERROR" then
    arguments.refused(what, mtype, err, code, 2)
  elseif not ok then
    return nil, Error.from(err, code)
  end
  local failed, response = waiter:wait()
  if failed ~= nil then
    return nil, failed
  end
  return response
end

-- The payload of a `__pp_ack`.
function _M.payload(id, err, response)
  if err ~= nil then
    err = Error.from(err)
    return { ackId = id, args = json.array {}, error = { message = err.message, code = err.code } }
  end
  if response == nil then
    response = json.null
  end
  return { ackId = id, args = { response } }
end

return _M
