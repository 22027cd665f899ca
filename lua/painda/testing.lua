-- painda.testing: servers and clients for tests that read as what happens, one line after the other. Under
-- `painda test` an environment ends with the test that made it, whatever happened in it.
--
--   local env = testing.createTestEnv()
--   env.server:on("connection", function(client) client:emit("system", "welcome") end)
--   assert.equal("welcome", testing.waitForMessage(env.client, "system").payload)
--   env.clock:advance(30000)

local api = require "painda.api"
local clocks = require "painda.testing.clock"
local inbox = require "painda.testing.inbox"
local options = require "painda.options"
local log = require "painda.log"
local painda = require "painda"
local task = require "painda.task"
local wait = require "painda.testing.wait"

local shown = options.shown
local getmetatable, setmetatable, type, error, pairs = getmetatable, setmetatable, type, error, pairs
local ipairs, pcall, tostring, remove, unpack = ipairs, pcall, tostring, table.remove, unpack

local PATIENCE = 5000 -- ms of real time that a client has to connect

local _M = {
  waitFor = wait.waitFor,
  waitForMessage = inbox.waitForMessage,
  collectMessages = inbox.collectMessages,
  scope = nil, -- what the test runner runs: environments belong to it
}

local Env = { __name = "painda.testing.Env" }
local open = {} -- environments, oldest first

-- --- clients ---

local function await_connect(client, where)
  local waiter = task.waiter()
  local function fail(err)
    waiter:wake(nil, tostring(err))
  end
  client:on("serverError", fail)
  client:on("error", fail)
  client:once("connect", function()
    waiter:wake(true)
  end)
  local connected, why = waiter:wait(PATIENCE, true)
  client:off("error", fail):off("serverError", fail)
  if not connected then
    error(("%s: the client did not connect: %s"):format(where, why), 0)
  end
end

local function connect_real(server, given)
  local all = { url = ("ws://127.0.0.1:%d/"):format(server.port), reconnect = false }
  for name, value in pairs(given) do
    all[name] = value
  end
  return painda.PPClient(all)
end

local function connect_virtual(server, given)
  local all = {}
  for name, value in pairs(given) do
    all[name] = value
  end
  all.id = nil
  return painda.PPVirtualClient(given.id, all):connect(server)
end

local function connect(server, given, real, where)
  local client = (real and connect_real or connect_virtual)(server, given)
  inbox.open(client)
  await_connect(client, where)
  return client
end

-- `n` connected clients of an environment or of a server, as a list. Options are those of the clients; {real = true}
-- asks for PPClients over the loopback.
function _M.createTestClients(of, n, given)
  local env = getmetatable(of) == Env and of or nil
  local server = env and env.server or of
  if type(server) ~= "table" or not server.getClients then
    error("createTestClients takes an environment or a server first", 2)
  end
  if type(n) ~= "number" or n < 0 or n % 1 ~= 0 then
    error(("createTestClients takes how many clients there are to be, not %s"):format(shown(n)), 2)
  end
  if given ~= nil and type(given) ~= "table" then
    error(("createTestClients takes a table of options, not %s"):format(shown(given)), 2)
  end
  local rest, real = {}, env and env.real
  for name, value in pairs(given or {}) do
    if name == "real" then
      real = value
    else
      rest[name] = value
    end
  end
  local clients = {}
  for i = 1, n do
    clients[i] = connect(server, rest, real, "createTestClients")
    if env then
      env.clients[#env.clients + 1] = clients[i]
    end
  end
  return clients
end

-- --- environments ---

-- env.client: the first client, connected when it is first asked for, so that handlers can be registered before.
function Env:__index(name)
  if name == "client" then
    local client = self.clients[1] or _M.createTestClients(self, 1)[1]
    self.client = client
    return client
  end
  return Env[name]
end

-- One more connected client.
function Env:connect(given)
  if given ~= nil and type(given) ~= "table" then
    error(("env:connect takes a table of options, not %s"):format(shown(given)), 2)
  end
  return _M.createTestClients(self, 1, given)[1]
end

local function await_end(server)
  local guard = task.waiter()
  server:once("close", function()
    guard:wake()
  end)
  server:close()
  guard:wait(PATIENCE, true)
end

-- Closes the clients and the server, and gives the clock back. An environment that is closed stays so.
function Env:close()
  if self.closed then
    return
  end
  self.closed = true
  for i, env in ipairs(open) do
    if env == self then
      remove(open, i)
      break
    end
  end
  for _, client in ipairs(self.clients) do
    client:close()
  end
  if self.clock then
    clocks.release()
  end
  if not self.server.closing then
    await_end(self.server)
  end
end

api.class("env", Env, Env)

local OWN = {
  real = { type = "boolean", default = false },
  clock = { type = "boolean", default = true },
}

local function split(given)
  if given ~= nil and type(given) ~= "table" then
    error(("createTestEnv takes a table of options, not %s"):format(shown(given)), 3)
  end
  local own, server = {}, { port = 0, host = "127.0.0.1" }
  for name, value in pairs(given or {}) do
    if OWN[name] then
      own[name] = value
    else
      server[name] = value
    end
  end
  return options.check("createTestEnv", OWN, own, 3), server
end

-- A server on a free port of the loopback, a clock that stands still, and clients. Options are those of PPServer, and:
-- `real`: clients are PPClients over sockets; `clock = false`: timers go by real time.
function _M.createTestEnv(given)
  local own, server_options = split(given)
  local env = setmetatable({ clients = {}, real = own.real, scope = _M.scope, closed = false }, Env)
  local made, server = pcall(painda.PPServer, server_options)
  if not made then -- at the line of the test
    error(type(server) == "string" and server:gsub("^[^:\n]+:%d+: ", "") or server, 2)
  end
  env.server = server
  env.url = ("ws://127.0.0.1:%d/"):format(env.server.port)
  env.clock = own.clock and clocks.hold() or false
  open[#open + 1] = env
  return env
end

-- --- for the test runner ---

-- Closes the environments that were made in `scope`, or all where it is nil.
function _M.close_all(scope)
  for _, env in ipairs { unpack(open) } do
    if scope == nil or env.scope == scope then
      local ok, err = pcall(env.close, env)
      if not ok then
        log.error("the environment of a test could not be closed: " .. tostring(err))
      end
    end
  end
end

return api.module("painda.testing", _M)
