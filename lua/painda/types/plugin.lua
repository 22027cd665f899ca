---@meta painda.plugin
-- For editors only: plugins. Never loaded.

---@class painda.Plugin
---@field name string
---@field version? string
---@field dependencies? string[] names of plugins that must be registered before
---@field install fun(ctx: painda.PluginContext, options?: any): painda.PluginHooks?

---@class painda.PluginHooks
---@field onConnect? fun(client: painda.Client) after middleware, before handlers; again after a reload
---@field onDisconnect? fun(client: painda.Client, reason: string, code: integer)
---@field onMessage? fun(client: painda.Client, message: painda.Message): boolean? false drops the message
---@field onSend? fun(client?: painda.Client, message: painda.Message): (table | painda.Message | false)? another message to send instead, or false for none; the client is nil for a broadcast
---@field onRoomJoin? fun(client: painda.Client, room: string)
---@field onRoomLeave? fun(client: painda.Client, room: string)
---@field onShutdown? fun()
---@field onError? fun(err: painda.Error, client?: painda.Client, what?: string) what: a message type or a hook

---What install is given.
---@class painda.PluginContext
---@field name string the plugin's
local PluginContext = {}

---Connection middleware of the server. While install runs only.
---@param fn fun(socket: painda.Client, next: fun(err?: painda.Error | string))
---@return self
function PluginContext:use(fn) end

---Message middleware of the server. While install runs only.
---@param fn fun(socket: painda.Client, message: painda.Message, next: fun(err?: painda.Error | string))
---@return self
function PluginContext:useMessage(fn) end

---The same as server:on. While install runs only.
---@param name string
---@param fn fun(...)
---@return self
function PluginContext:on(name, fn) end

---What another plugin has exposed.
---@param name string
---@return any?
function PluginContext:getPlugin(name) end

---What server:getPlugin gives for this plugin.
---@param api any
---@return self
function PluginContext:expose(api) end

---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.Client | string
---@return integer sent to how many
function PluginContext:broadcast(message, except) end

---@return integer
function PluginContext:getClientCount() end

---@param id string
---@return painda.Client?
function PluginContext:getClient(id) end

---Writes a line with the plugin's name. Values are joined by spaces; a table at the end is a table of fields.
---@param ... any
function PluginContext:log(...) end

return PluginContext
