-- The annotations for editors say what there is: every method that is annotated exists, and every one that exists is
-- annotated. The same for options.

local painda = require "painda"
local socket = require "painda.socket"

local FOLDER = "lua/painda/types/" -- the suite is run from the root of the source

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Class → the parameters of its functions, by name: "self, a, b". A class belongs to the local variable below it.
local function annotated(text)
  local classes, variables = {}, {}
  local class
  for line in text:gmatch "[^\n]+" do
    class = line:match "^%-%-%-@class ([%w._]+)" or class
    local variable = line:match "^local ([%w_]+) = {}"
    if variable and class then
      variables[variable] = class
      classes[class] = classes[class] or {}
      class = nil
    end
    local owner, mark, name, parameters = line:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%)"
    if owner and variables[owner] then
      local all_of_them = mark == ":" and "self" .. (parameters == "" and "" or ", ") .. parameters or parameters
      classes[variables[owner]][name] = all_of_them
    end
  end
  return classes
end

local classes, all = {}, ""
for name in io.popen("ls " .. FOLDER):lines() do
  local text = read(FOLDER .. name)
  all = all .. text .. "\n"
  for class, methods in pairs(annotated(text)) do
    classes[class] = methods
  end
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- The functions of a table that are meant for applications.
local function public(methods)
  local names = {}
  for name, value in pairs(methods) do
    if type(value) == "function" and not name:find "^_" then
      names[name] = true
    end
  end
  return names
end

local function methods_of(object)
  return debug.getmetatable(object).__index
end

local function upvalue(fn, wanted)
  for i = 1, 255 do
    local name, value = debug.getupvalue(fn, i)
    if name == wanted or not name then
      return value
    end
  end
end

-- Does the function take as many arguments as are annotated? One of C, or with "…", does not tell.
local function assert_takes(fn, parameters, what)
  local info = debug.getinfo(fn, "uS")
  if info.what == "C" or info.isvararg then
    return
  end
  local count = parameters == "" and 0 or select(2, parameters:gsub(",", "")) + 1
  assert.equal(info.nparams, count, ("%s(%s)"):format(what, parameters))
end

local function assert_same_names(class, methods)
  assert.is_table(classes[class], class .. " is not annotated")
  assert.same(sorted(public(methods)), sorted(classes[class]), class)
  for name in pairs(public(methods)) do
    assert_takes(methods[name], classes[class][name], class .. "." .. name)
  end
end

describe("annotations", function()
  local server, peer, client

  setup(function()
    server = painda.PPServer { port = 0 }
    server:on("connection", function(connected)
      client = connected
    end)
    peer = painda.PPClient { url = "ws://localhost:" .. server.port }
    while not client do
      painda.sleep(1)
    end
  end)

  teardown(function()
    peer:close()
    server:close()
  end)

  local function fields(class)
    local body = all:match("%-%-%-@class " .. class:gsub("%.", "%%.") .. "\n(.-)\n\n")
    local names = {}
    for name in body:gmatch "%-%-%-@field ([%w_]+)" do
      names[name] = true
    end
    return names
  end

  it("have every method of a server", function()
    assert_same_names("painda.PPServer", methods_of(server))
  end)

  it("have every method of what a plugin is given, and every hook", function()
    local ctx
    server:register { name = "annotated", install = function(given) ctx = given end }
    assert_same_names("painda.PluginContext", methods_of(ctx))
    local names = {}
    for _, name in ipairs(require("painda.hooks").NAMES) do
      names[name] = true
    end
    assert.same(sorted(names), sorted(fields "painda.PluginHooks"))
  end)

  it("have every method and number of the metrics plugin", function()
    local one = painda.PPServer { port = 0 }
    local api = one:register(painda.ppMetricsPlugin):getPlugin "pp-metrics"
    one:close()
    assert_same_names("painda.Metrics", methods_of(api))
    assert.same(sorted(api:snapshot()), sorted(fields "painda.Metrics.Snapshot"))
  end)

  it("have every method and option of presence", function()
    assert_same_names("painda.Presence", methods_of(server.presence))
    assert.same(sorted(require("painda.presence").OPTIONS), sorted(fields "painda.Presence.Options"))
  end)

  it("have every method and option of a typed room", function()
    local room = server:room "annotated"
    local known = require "painda.typed_room.options"
    assert_same_names("painda.TypedRoom", require("painda.typed_room").Room)
    assert.same(sorted(known.OPTIONS), sorted(fields "painda.TypedRoom.Options"))
    room:dispose()
  end)

  it("have every method of a client socket and of what it hands out", function()
    assert_same_names("painda.Client", socket.Socket)
    assert_same_names("painda.Target", methods_of(client.broadcast))
    assert_same_names("painda.Client.Timed", methods_of(client:timeout(1)))
  end)

  it("have every method of a namespace and of the sockets in it", function()
    local namespace_socket = require "painda.namespace_socket"
    assert_same_names("painda.Namespace", require("painda.namespace").Namespace)
    assert_same_names("painda.NamespaceSocket", namespace_socket.NamespaceSocket)
    local inside = namespace_socket.new(client, server:of "/annotated")
    assert_same_names("painda.NamespaceSocket.Timed", methods_of(inside:timeout(1)))
  end)

  it("have every method of a PPClient and of what it hands out", function()
    local own = methods_of(peer)
    assert_same_names("painda.PPClient", own)
    assert_same_names("painda.PPClient.Scope", methods_of(own))
    assert_same_names("painda.PPClient.Timed", methods_of(peer:timeout(1)))
  end)

  it("have every method of an HttpServer, its requests and its answers", function()
    local http = painda.HttpServer { port = 0 }
    local methods = methods_of(http)
    http:close()
    assert_same_names("painda.HttpServer", methods)
    local new = require("painda.http.exchange").new
    assert_same_names("painda.HttpResponse", upvalue(new, "Response"))
    assert_same_names("painda.HttpRequest", upvalue(upvalue(new, "request_metatable").__index, "Request"))
  end)

  it("have every method of a registry, a timer, the log and json", function()
    assert_same_names("painda.PPSchemaRegistry", methods_of(painda.PPSchemaRegistry()))
    local schema = painda.schema { row = painda.list "uint8" }
    local row = schema:new().row
    assert_same_names("painda.StateSchema", methods_of(schema))
    assert_same_names("painda.StateList", { insert = row.insert, remove = row.remove })
    local timer = painda.after(1000, print)
    assert_same_names("painda.Timer", methods_of(timer))
    timer:cancel()
    local testing = painda.testing
    local env = testing.createTestEnv()
    assert_same_names("painda.PPVirtualClient", upvalue(getmetatable(env.client).__index, "Client"))
    assert_same_names("painda.testing.Env", upvalue(methods_of(env), "Env"))
    assert_same_names("painda.testing.Clock", methods_of(env.clock))
    assert_same_names("painda.log", painda.log)
    assert_same_names("painda.json", painda.json)
    assert_same_names("painda.gaming", painda.gaming)
    assert_same_names("painda.StateManager", methods_of(painda.gaming.StateManager()))
  end)

  it("have all of painda itself", function()
    local text = read(FOLDER .. "painda.lua")
    local names = {}
    for name in text:gmatch "\nfunction painda%.([%w_]+)%(" do
      names[name] = true
    end
    for name in text:gmatch "\npainda%.([%w_]+) =" do
      names[name] = true
    end
    for name in text:match("---@class painda\n(.-)\nlocal"):gmatch "%-%-%-@field ([%w_]+)" do
      names[name] = true
    end
    for name in pairs(names) do
      assert.is_not_nil(painda[name], name)
    end
    local lazy = upvalue(getmetatable(painda).__index, "lazy")
    assert.is_table(lazy)
    for _, known in ipairs { lazy, painda } do
      for name in pairs(known) do
        assert.is_true(names[name], ("painda.%s is not annotated"):format(name))
      end
    end
  end)

  -- `make` must raise for an option of a wrong type, and say another thing for one that it does not know.
  local function assert_options(class, make, known)
    local names = fields(class)
    for name in pairs(names) do
      local ok, err = pcall(make, { url = "ws://localhost", port = 0, [name] = coroutine.create(print) })
      assert.is_false(ok, name)
      assert.is_nil(tostring(err):match "has no option", name)
    end
    for name in pairs(known) do
      assert.is_true(names[name], ("%s %s is not annotated"):format(class, name))
    end
  end

  it("have every option of a server", function()
    assert_options("painda.PPServer.Options", function(options)
      options.url = nil
      painda.PPServer(options)
    end, server.options)
  end)

  it("have every option of an HttpServer", function()
    assert_options("painda.HttpServer.Options", function(options)
      options.url = nil
      painda.HttpServer(options)
    end, {})
  end)

  it("have every option of a PPClient", function()
    assert_options("painda.PPClient.Options", function(options)
      options.port = nil
      painda.PPClient(options)
    end, {})
  end)

  it("have every number of the statistics", function()
    assert.same(sorted(server:getStats()), sorted(fields "painda.PPServer.Stats"))
  end)
end)
