-- HTTP on a port: routes, JSON answers and files.
--
--   local http = painda.HttpServer { port = 8080 }
--   http:get("/rooms/:id", function(req, res) res:json { id = req.params.id } end)
--   http:static("/", "public")

local core = require "painda.core.http"
local runtime = require "painda.core.runtime"
local api = require "painda.api"
local Error = require "painda.error"
local exchange = require "painda.http.exchange"
local log = require "painda.log"
local options = require "painda.options"
local ports = require "painda.ports"
local reload = require "painda.reload"
local router = require "painda.http.router"
local task = require "painda.task"

local shown = options.shown
local setmetatable, type, error, tostring, xpcall = setmetatable, type, error, tostring, xpcall
local ipairs, pairs = ipairs, pairs
local traceback, concat, sort = debug.traceback, table.concat, table.sort

local MIB = 1024 * 1024
local MAX_AGE = 365 * 24 * 3600
local POLL = 10 -- ms between looks at what a shutdown waits for

local SPEC = {
  port = { type = "integer", min = 0, max = 65535 },
  host = { type = "string" },
  tls = { type = "table" },
  maxBody = { type = "integer", min = 0, max = 2 ^ 31, default = MIB },
  handshakeTimeout = { type = "integer", min = 1, max = 3600000, default = 10000 },
  maxPendingPerIp = { type = "integer", min = 0, max = 10000000, default = 1024 },
}
local TLS = { cert = { type = "string", required = true }, key = { type = "string", required = true } }
local STATIC = {
  maxAge = { type = "integer", min = 0, max = MAX_AGE, default = 0 },
  index = { type = { "string", "boolean" }, default = "index.html" },
}
local METHODS = { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS" }

local HttpServer = { __name = "painda.HttpServer" }
HttpServer.__index = HttpServer

local _M = {}

-- --- answering ---

local function with_trace(err)
  return traceback(Error.report(err), 2)
end

-- What a handler returned is its answer, where it gave none itself.
local function settle(req, res, value)
  if res.answered or not res:isOpen() then
    return
  end
  if type(value) == "string" then
    res:send(value)
  elseif type(value) == "table" then
    res:json(value)
  else
    log.error("the handler ended without an answer", { method = req.method, path = req.path })
    exchange.fail(res, 500, "Internal Server Error")
  end
end

local function handle(req, res, handler)
  settle(req, res, handler(req, res))
end

local function allow(res, methods, status)
  local names = {}
  for name in pairs(methods) do
    names[#names + 1] = name
  end
  sort(names)
  res:header("allow", concat(names, ", "))
  if status == 204 then
    return res:status(204):send()
  end
  return exchange.fail(res, status, "Method Not Allowed")
end

local function dispatch(server, raw)
  local req, res = exchange.new(raw)
  local routes = server._routes
  local handler, params, methods = routes:find(req.method, req.path)
  if handler then
    req.params = params
    local ok, err = xpcall(handle, with_trace, req, res, handler)
    if not ok then
      log.error("a handler failed: " .. err, { method = req.method, path = req.path })
      exchange.fail(res, 500, "Internal Server Error")
    end
  elseif routes:serve(raw, req.path) then
    return
  elseif methods then
    allow(res, methods, req.method == "OPTIONS" and 204 or 405)
  else
    exchange.fail(res, 404, "Not Found")
  end
end

-- --- registering ---

local function routes_of(self)
  return reload.registrations(self) or self._routes
end

-- Raises at the line of its caller's caller.
local function add(self, method, path, handler)
  if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
    error(('a route is a path that begins with "/", not %s'):format(shown(path)), 3)
  end
  if type(handler) ~= "function" then
    error(("the handler of %s %s is a function, not a %s"):format(method, path, type(handler)), 3)
  end
  local ok, err = routes_of(self):add(method, path, handler)
  if not ok then
    error(err, 3)
  end
end

-- Calls handler(req, res) for a method and a path. The methods below are the short forms.
function HttpServer:route(method, path, handler)
  local name = type(method) == "string" and method:upper() or tostring(method)
  for _, known in ipairs(METHODS) do
    if known == name then
      add(self, name, path, handler)
      return self
    end
  end
  error(("%q is not a method that is served%s"):format(name, options.hint(name, METHODS)), 2)
end

for _, method in ipairs(METHODS) do
  HttpServer[method:lower()] = function(self, path, handler)
    add(self, method, path, handler)
    return self
  end
end

-- Serves the files of a directory (relative to the application's own) below `prefix`. Routes come first.
function HttpServer:static(prefix, directory, given)
  if type(prefix) ~= "string" or prefix:sub(1, 1) ~= "/" then
    error(('static files are served below a path that begins with "/", not %s'):format(shown(prefix)), 2)
  end
  if type(directory) ~= "string" or directory == "" then
    error(("static files come from a directory, not %s"):format(shown(directory)), 2)
  end
  local chosen = options.check("http:static", STATIC, given or {})
  local root = directory:sub(1, 1) == "/" and directory or require("painda.app").directory .. "/" .. directory
  if not core.is_directory(root) then
    error(("http:static: there is no directory %s"):format(root), 2)
  end
  routes_of(self):add_files(prefix, root, chosen.maxAge, chosen.index == true and "index.html" or chosen.index or nil)
  return self
end

-- --- life ---

-- Puts another set of routes in place, at once: requests that are being handled end with the old ones. The first time
-- it begins to serve.
function HttpServer:_swap(routes)
  self._routes = routes
  if self._server then
    self._server:set_max_body(routes.max_body)
  elseif self._listener then
    self._server = core.serve(self._listener, routes.max_body, function(raw)
      dispatch(self, raw)
    end)
  end
end

local function close(self)
  local server, listener = self._server, self._listener
  self._server, self._listener = nil, nil
  if server then
    server:close()
  end
  if listener then
    listener:close()
  end
end

-- Ends it at once: nothing listens any more, and handlers that still run find their request closed.
function HttpServer:close()
  reload.forget(self)
  close(self)
end

-- Accepts no new connection, lets the requests at hand be answered within `timeout` ms (5000), and ends.
function HttpServer:gracefulShutdown(timeout)
  local server, left = self._server, timeout or 5000
  reload.forget(self)
  if server then
    self._listener:stop()
    while server:drain() > 0 and left > 0 do
      task.sleep(POLL)
      left = left - POLL
    end
  end
  close(self)
end

function HttpServer:__tostring()
  return "HttpServer on port " .. tostring(self.port)
end

api.class("http", HttpServer, HttpServer)

local function open(chosen, port)
  local tls = chosen.tls or {}
  local listener, err = core.listen {
    host = chosen.host,
    port = port,
    cert = tls.cert,
    key = tls.key,
    handshakeTimeout = chosen.handshakeTimeout,
    maxPendingPerIp = chosen.maxPendingPerIp,
  }
  if not listener then
    return nil, err
  end
  local self = setmetatable({ _listener = listener, _routes = router.new(), port = listener:port() }, HttpServer)
  log.info("listening", { port = self.port, host = chosen.host or "*", protocol = chosen.tls and "https" or "http" })
  return self
end

local function drop(self)
  runtime.spawn(self.gracefulShutdown, self)
end

-- painda.HttpServer { port, host, tls = { cert, key }, maxBody = 1 MiB }. On a reload the server on the same port is
-- the same object, with the new routes. Raises where it can't listen.
function _M.HttpServer(given)
  local chosen = options.check("HttpServer", SPEC, given)
  if chosen.tls then
    options.check("HttpServer option tls", TLS, chosen.tls)
  end
  if not chosen.port and not (chosen.host or ""):find "^unix:" then
    error('HttpServer needs the option "port", or host = "unix:/path"', 2)
  end
  local port, name = ports.chosen(chosen.port)
  local key = ("http:%s:%s"):format(chosen.host or "*", name)
  if name == "0" then
    key = reload.numbered_key(key)
  end
  local self, err = reload.object(key, {
    make = function()
      return open(chosen, port)
    end,
    fresh = function()
      local routes = router.new()
      routes.max_body = chosen.maxBody
      return routes
    end,
    apply = HttpServer._swap,
    drop = drop,
    undo = close,
  })
  if not self then
    Error.raise(ports.fault(err, port), nil, 2)
  end
  return self
end

return api.module("painda.http", _M)
