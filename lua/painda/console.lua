-- The server's part of `painda console`: running what was typed, in an environment for each console that is attached.
--
--   console.run { code }       → { shown = { text, … } }       console.complete { line } → { from, words }

local complete = require "painda.console.complete"
local control = require "painda.control"
local log = require "painda.log"
local names = require "painda.console.names"
local runtime = require "painda.core.runtime"
local show = require "painda.console.show"

local select, error, type, tostring = select, error, type, tostring
local loadstring, setfenv, rawset = loadstring, setfenv, rawset

local LOGGED = 1000 -- bytes of a command that the log shows
local LIMIT = 5000 -- ms, where no server of the application has set a limit for handlers

local function attach(peer)
  local shared = peer.shared
  if not shared.environment then
    shared.environment = names.environment(function(text)
      shared.say(text)
    end)
    log.info("console attached", { process = shared.pid })
    shared.on_close = function()
      log.info("console detached", { process = shared.pid })
    end
    if #names.servers() == 0 then
      runtime.set_handler_timeout(LIMIT)
    end
  end
  return shared
end

-- An expression, or statements. A compiled loop could not be stopped by the limit of handlers: what is typed stays
-- interpreted.
local function compile(code, env)
  local chunk = loadstring("return " .. code, "=console")
  local err
  if not chunk then
    chunk, err = loadstring(code, "=console")
  end
  if not chunk then
    error({ plain = err }, 0)
  end
  jit.off(chunk, true)
  return setfenv(chunk, env)
end

local function shown(env, ...)
  local list = {}
  for i = 1, select("#", ...) do
    list[i] = show.show((select(i, ...)))
  end
  if select("#", ...) > 0 then
    rawset(env, "_", (...))
  end
  return { shown = list }
end

local function describe(raised)
  if type(raised) == "string" then
    return (raised:gsub("^painda/console%.lua:%d+: ", "console:1: ")) -- `return error("…")` leaves no frame of its own
  end
  local meta = debug.getmetatable(raised)
  return type(meta) == "table" and meta.__tostring and tostring(raised) or show.show(raised)
end

control.command("console.run", function(request, peer)
  local code = request.code
  if type(code) ~= "string" then
    error({ plain = "console.run takes code, a string" }, 0)
  end
  local shared = attach(peer)
  shared.say = function(text)
    peer:say(text)
  end
  peer.describe = describe
  log.info("console", { process = shared.pid, code = #code > LOGGED and code:sub(1, LOGGED) .. "…" or code })
  local chunk = compile(code, shared.environment)
  return shown(shared.environment, chunk())
end)

control.command("console.complete", function(request, peer)
  local line = type(request.line) == "string" and request.line or ""
  return complete.words(line, attach(peer).environment)
end)

return true
