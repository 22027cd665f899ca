-- Plugins: server:register(plugin, options). A plugin belongs to the generation that registers it, with its hooks and
-- all that it asked for in install.
--
--   plugin = { name, version, dependencies = { name… }, install = function(ctx, options) return hooks end }
--
-- Registering does all or nothing: what install asks for is put off until it has returned.

local core = require "painda.core.server"
local api = require "painda.api"
local Error = require "painda.error"
local hooks = require "painda.hooks"
local log = require "painda.log"
local options = require "painda.options"
local reload = require "painda.reload"

local shown = options.shown
local setmetatable, getmetatable, type, error, tostring = setmetatable, getmetatable, type, error, tostring
local ipairs, pairs, pcall, select = ipairs, pairs, pcall, select
local concat = table.concat

local _M = {}

-- The running code's plugins of a server: { by_name = { [name] = { plugin, api } }, order, installing, refused }.
local function plugins_of(server)
  local registrations = reload.registrations(server)
  if not registrations then -- the server is closed
    return { by_name = {}, order = {}, installing = {}, refused = {} }
  end
  if not registrations.plugins then
    registrations.plugins = { by_name = {}, order = {}, installing = {}, refused = {} }
  end
  return registrations.plugins
end

-- --- what install is given ---

local Context = {}
Context.__index = Context
Context.__name = "painda.PluginContext"

local function check_function(self, name, fn)
  if type(fn) ~= "function" then
    error(("plugin %q: ctx:%s takes a function, not a %s"):format(self.name, name, type(fn)), 3)
  end
  if not self._asked then
    error(("plugin %q: ctx:%s can be called while install runs, and not later"):format(self.name, name), 3)
  end
end

local function ask(self, method, ...)
  self._asked[#self._asked + 1] = { method, ... }
  return self
end

-- Connection middleware of the server: fn(socket, next).
function Context:use(fn)
  check_function(self, "use", fn)
  return ask(self, "use", fn)
end

-- Message middleware of the server: fn(socket, message, next).
function Context:useMessage(fn)
  check_function(self, "useMessage", fn)
  return ask(self, "useMessage", fn)
end

-- Listens to an event of the server or to a message type: the same as server:on.
function Context:on(name, fn)
  check_function(self, "on", fn)
  if type(name) ~= "string" or name == "" then
    error(("plugin %q: ctx:on takes the name of an event, not %s"):format(self.name, shown(name)), 2)
  end
  return ask(self, "on", name, fn)
end

-- What another plugin has exposed, or nil.
function Context:getPlugin(name)
  return _M.get(self._server, name)
end

-- What server:getPlugin gives for this plugin.
function Context:expose(exposed)
  if exposed == nil then
    error(("plugin %q: ctx:expose takes a value, such as a table of functions"):format(self.name), 2)
  end
  self._entry.api = exposed
  return self
end

-- Sends a message to every client but `except`.
function Context:broadcast(message, except)
  return self._server:broadcast(message, except)
end

function Context:getClientCount()
  return core.stats(self._server._core).clients
end

function Context:getClient(id)
  return self._server:getClient(id)
end

-- Writes a line with the plugin's name: values are joined by spaces, and a table at the end is a table of fields.
function Context:log(...)
  local n, fields, words = select("#", ...), { plugin = self.name }, {}
  for i = 1, n do
    local value = select(i, ...)
    if i == n and i > 1 and type(value) == "table" and not getmetatable(value) then
      for key, field in pairs(value) do
        fields[key] = field
      end
    else
      words[#words + 1] = tostring(value)
    end
  end
  log.info(concat(words, " "), fields)
end

api.class("ctx", Context, Context)

-- --- registering ---

local function names_in(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  return list
end

local function check(plugin, level)
  level = level + 1
  if type(plugin) ~= "table" then
    error(("server:register takes a plugin {name = …, install = …}, not a %s"):format(type(plugin)), level)
  end
  local name = plugin.name
  if type(name) ~= "string" or name == "" then
    error("server:register: the plugin has no name (a string that is not empty)", level)
  end
  if type(plugin.install) ~= "function" then
    error(("plugin %q has no function install(ctx, options)"):format(name), level)
  end
  local version = plugin.version
  if version ~= nil and type(version) ~= "string" then
    error(("plugin %q: the version is a string, not a %s"):format(name, type(version)), level)
  end
  local needed = plugin.dependencies or {}
  if type(needed) ~= "table" then
    error(("plugin %q: dependencies is a list of names, not a %s"):format(name, type(needed)), level)
  end
  for i, dependency in ipairs(needed) do
    if type(dependency) ~= "string" then
      local told = "plugin %q: dependencies is a list of names, and item %d is a %s"
      error(told:format(name, i, type(dependency)), level)
    end
  end
  return name, needed
end

-- Does `name` need `wanted`, as far as refused and half-installed plugins have said?
local function needs(plugins, name, wanted, seen)
  if name == wanted then
    return true
  end
  local needed = plugins.refused[name] or plugins.installing[name]
  if not needed or seen[name] then
    return false
  end
  seen[name] = true
  for _, dependency in ipairs(needed) do
    if needs(plugins, dependency, wanted, seen) then
      return true
    end
  end
  return false
end

local function check_dependencies(plugins, name, needed, level)
  for _, dependency in ipairs(needed) do
    if not plugins.by_name[dependency] then
      plugins.refused[name] = needed
      if needs(plugins, dependency, name, {}) then
        error(("plugin %q needs %q, which needs %q: neither can come first"):format(name, dependency, name), level + 1)
      end
      local near = options.nearest(dependency, names_in(plugins.by_name))
      local hint = near and (" (did you mean %q?)"):format(near) or ": register it first"
      error(("plugin %q needs the plugin %q, which is not registered%s"):format(name, dependency, hint), level + 1)
    end
  end
end

local function check_hooks(name, given, level)
  if given ~= nil and type(given) ~= "table" then
    error(("plugin %q: install returns a table of hooks or nothing, not a %s"):format(name, type(given)), level + 1)
  end
  for hook, fn in pairs(given or {}) do
    local known = false
    for _, one in ipairs(hooks.NAMES) do
      known = known or one == hook
    end
    if not known then
      local hint = options.hint_of_few(hook, hooks.NAMES)
      error(("plugin %q: there is no hook %q%s"):format(name, tostring(hook), hint), level + 1)
    end
    if type(fn) ~= "function" then
      error(("plugin %q: the hook %s is a function, not a %s"):format(name, hook, type(fn)), level + 1)
    end
  end
  return given or {}
end

-- Puts what a plugin asked for into force.
local function put_in(server, plugins, name, entry, asked, given)
  local registrations = reload.registrations(server)
  plugins.by_name[name] = entry
  plugins.order[#plugins.order + 1] = name
  plugins.refused[name] = nil
  for _, call in ipairs(asked) do
    server[call[1]](server, call[2], call[3])
  end
  for hook, fn in pairs(given) do
    local all = registrations.hooks or {}
    all[hook] = all[hook] or {}
    all[hook][#all[hook] + 1] = { plugin = name, fn = fn }
    registrations.hooks = all
    registrations.gate = registrations.gate or hook == "onMessage"
    hooks.sending = hooks.sending or hook == "onSend"
  end
end

-- Installs the plugin for the running code's generation. Raises where it can't be, naming it, and changes nothing then.
function _M.register(server, plugin, given, level)
  level = level + 1
  local name, needed = check(plugin, level)
  local plugins = plugins_of(server)
  if plugins.by_name[name] then
    error(("plugin %q is registered already"):format(name), level)
  end
  if plugins.installing[name] then
    error(("plugin %q registers itself again while it is installed"):format(name), level)
  end
  check_dependencies(plugins, name, needed, level)
  local entry, asked = { plugin = plugin }, {}
  local ctx = setmetatable({ name = name, _server = server, _entry = entry, _asked = asked }, Context)
  plugins.installing[name] = needed
  local ok, returned = pcall(plugin.install, ctx, given)
  plugins.installing[name] = nil
  ctx._asked = nil
  if not ok then
    error(("plugin %q: install failed: %s"):format(name, Error.report(returned)), level)
  end
  put_in(server, plugins, name, entry, asked, check_hooks(name, returned, level))
end

-- --- looking ---

function _M.get(server, name)
  local entry = plugins_of(server).by_name[name]
  return entry and entry.api
end

function _M.has(server, name)
  return plugins_of(server).by_name[name] ~= nil
end

-- In the order of registration.
function _M.names(server)
  local out = {}
  for i, name in ipairs(plugins_of(server).order) do
    out[i] = name
  end
  return out
end

return _M
