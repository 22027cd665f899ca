-- Calling the handlers of a message, of the default namespace and of others.

local core = require "painda.core.server"
local runtime = require "painda.core.runtime"
local ack = require "painda.ack"
local emitter = require "painda.emitter"
local Error = require "painda.error"
local reload = require "painda.reload"
local tasks = require "painda.reload.tasks"
local faults = require "painda.faults"

local collect, handle, send_control = emitter.collect, runtime.handle, core.send_control

local _M = {}

function _M.no_ack() end

local no_ack = _M.no_ack

-- What a handler is given to answer with. Only the first answer counts.
function _M.ack_for(socket, id)
  if not id then
    return no_ack
  end
  local answered = false
  return function(err, response)
    if answered then
      return
    end
    answered = true
    local ok, text, code = send_control(socket._ref, "__pp_ack", ack.payload(id, err, response))
    if not ok and code == "ENCODE_ERROR" then
      send_control(socket._ref, "__pp_ack", ack.payload(id, Error.new(text, code)))
      Error.raise(text, code, 2)
    end
  end
end

-- The outermost function of a handler's task.
local function run_handler(socket, mtype, ack_id, fn, ...) -- luacheck: no unused args
  fn(...)
end
faults.root(run_handler)

-- Calls a handler on a task of its own.
function _M.run(socket, mtype, ack_id, fn, ...)
  handle(run_handler, socket, mtype, ack_id, fn, ...)
end

-- Handlers that are called though their generation was replaced, as what they are.
function _M.as_begun(list, n, generation)
  if generation ~= reload.current then
    for i = 1, n do
      list[i] = tasks.as(generation, list[i])
    end
  end
end

-- Appends the listeners of `name` to `list`, from n + 1 on, and notes their kind. Returns the new n.
function _M.gather(list, kinds, n, listeners, name, kind)
  local last = collect(listeners, name, list, n)
  for i = n + 1, last do
    kinds[i] = kind
  end
  return last
end

return _M
