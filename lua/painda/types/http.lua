---@meta painda.http
-- For editors only: what painda.http offers. Never loaded.

local _M = {}

---@class painda.HttpServer.Options
---@field port? integer 0: any free one
---@field host? string an address, or `unix:/path/of/socket`
---@field tls? { cert: string, key: string } PEM files
---@field maxBody? integer bytes, default 1 MiB
---@field handshakeTimeout? integer ms, default 10000
---@field maxPendingPerIp? integer connections from one address before their first request, default 1024; 0: any number

---@alias painda.HttpServer.Handler fun(req: painda.HttpRequest, res: painda.HttpResponse): string|table|nil

---@class painda.HttpRequest
---@field method string
---@field path string decoded
---@field query table<string, string>
---@field params table<string, string> what the route's path matched; `["*"]` for its tail
---@field headers table<string, string> names in lower case
---@field body string
---@field address string of the peer
---@field secure boolean over TLS
local Request = {}

---The body as JSON.
---@return any value nil where it is not JSON
---@return string? err
function Request:json() end

---@class painda.HttpResponse
---@field answered boolean
local Response = {}

---@param code integer 200 to 599
---@return self
function Response:status(code) end

---@param name string
---@param value string|number
---@return self
function Response:header(name, value) end

---@param text? string|number
---@return true? sent
---@return "closed"? err
function Response:send(text) end

---@param text? string|number
---@return true? sent
---@return "closed"? err
function Response:text(text) end

---@param text string
---@return true? sent
---@return "closed"? err
function Response:html(text) end

---@param value any
---@return true? sent
---@return "closed"? err
function Response:json(value) end

---@param location string
---@param status? integer default 302
---@return true? sent
---@return "closed"? err
function Response:redirect(location, status) end

---Would an answer still be taken?
---@return boolean
function Response:isOpen() end

---@class painda.HttpServer
---@field port integer
local HttpServer = {}

---@param method "GET"|"POST"|"PUT"|"DELETE"|"PATCH"|"HEAD"|"OPTIONS"
---@param path string `/exact`, `/with/:parameter`, `/tail/*`
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:route(method, path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:get(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:post(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:put(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:delete(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:patch(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:head(path, handler) end

---@param path string
---@param handler painda.HttpServer.Handler
---@return self
function HttpServer:options(path, handler) end

---Serves the files of a directory, found from the application's folder.
---@param prefix string
---@param directory string
---@param options? { maxAge?: integer, index?: string|boolean }
---@return self
function HttpServer:static(prefix, directory, options) end

---Ends it at once.
function HttpServer:close() end

---Accepts no more, lets the requests at hand be answered, and ends.
---@param timeout? integer ms, default 5000
function HttpServer:gracefulShutdown(timeout) end

---@param options painda.HttpServer.Options
---@return painda.HttpServer
function _M.HttpServer(options) end

return _M
