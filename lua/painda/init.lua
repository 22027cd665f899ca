-- The Painda API: `local painda = require "painda"`. What lives in a module of its own is loaded on first use.

local runtime = require "painda.core.runtime"
local json = require "painda.core.json"
local api = require "painda.api"
local reload = require "painda.reload"

local require, setmetatable, rawset, type, error = require, setmetatable, rawset, type, error

-- LuaJIT's defaults are sized for small programs.
require("jit.opt").start("maxtrace=8000", "maxrecord=16000", "minstitch=3", "maxmcode=40960")

local painda = {
  version = runtime.version,
  null = json.null,
  array = json.array,
}

-- name → module and the field of it, or the whole module.
local lazy = {
  json = { "painda.json" },
  log = { "painda.log" },
  http = { "painda.http" },
  HttpServer = { "painda.http", "HttpServer" },
  Error = { "painda.error", "new" },
  sleep = { "painda.task", "sleep" },
  after = { "painda.timer", "after" },
  every = { "painda.timer", "every" },
  state = { "painda.reload", "state" },
  on_unload = { "painda.reload", "on_unload" },
  testing = { "painda.testing" },
  gaming = { "painda.gaming" },
  ppMetricsPlugin = { "painda.metrics", "plugin" },
  PPVirtualClient = { "painda.virtual_client", "PPVirtualClient" },
  PPServer = { "painda.server" },
  PPClient = { "painda.client", "PPClient" },
  PPSchemaRegistry = { "painda.schema", "PPSchemaRegistry" },
  schema = { "painda.declared", "schema" },
  map = { "painda.declared", "map" },
  list = { "painda.declared", "list" },
  text = { "painda.declared", "text" },
  quantized = { "painda.declared", "quantized" },
  decodeSchema = { "painda.declared", "decodeSchema" },
  structSerializer = { "painda.schema", "structSerializer" },
  jsonSerializer = { "painda.schema", "jsonSerializer" },
  stringSerializer = { "painda.schema", "stringSerializer" },
  bufferSerializer = { "painda.schema", "bufferSerializer" },
  mixedSerializer = { "painda.schema", "mixedSerializer" },
}

-- Runs fn(…) on a task of its own: it starts at once, and may wait.
function painda.spawn(fn, ...)
  if type(fn) ~= "function" then
    error(("painda.spawn takes a function, not a %s"):format(type(fn)), 2)
  end
  return runtime.spawn(reload.inherit(fn), ...)
end

-- Loads the application again, as --watch does when a file changes. Who asks goes on as the old code that it is.
function painda.reload()
  return reload.as_before(require("painda.app").reload)
end

-- Goes back to the version of the application that served before.
function painda.rollback()
  return reload.as_before(require("painda.app").rollback)
end

api.module("painda", painda, lazy)

-- A constructor that is called: painda.PPServer { … }, with its other functions as fields.
local function constructor(module)
  local functions = require(module)
  local new = api.checked_function("painda", painda, "PPServer", functions.new)
  local made = {}
  made.attachTo = api.checked_function("painda.PPServer", made, "attachTo", functions.attachTo)
  return setmetatable(made, {
    __call = function(_, ...)
      return new(...)
    end,
    __index = functions,
  })
end

return setmetatable(painda, {
  __index = function(self, name)
    local value
    if name == "PPServer" then
      value = constructor "painda.server"
    elseif lazy[name] then
      local module, field = lazy[name][1], lazy[name][2]
      value = require(module)
      if field then
        value = value[field]
      end
      if type(value) == "function" then
        value = api.checked_function("painda", painda, name, value)
      end
    end
    if value ~= nil then
      rawset(self, name, value)
    else
      api.miss(painda, name)
    end
    return value
  end,
})
