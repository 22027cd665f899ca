---@meta painda.namespace
-- For editors only: namespaces and the sockets in them, middleware. Never loaded.

---@alias painda.Next fun(err?: painda.Error | string) passes on, or with an error refuses; only the first call counts

---@class painda.Namespace
---@field name string
---@field server painda.PPServer
local Namespace = {}

---Listens to a message type of every client in the namespace, `fn(msg, ack, socket)`, or to an event.
---@param name string
---@param fn fun(msg: painda.Message, ack: painda.Ack, socket: painda.NamespaceSocket)
---@return self
---@overload fun(self, name: "connection", fn: fun(socket: painda.NamespaceSocket)): self
---@overload fun(self, name: "disconnection", fn: fun(socket: painda.NamespaceSocket, reason: string, code: integer)): self
---@overload fun(self, name: "error", fn: fun(err: painda.Error, socket: painda.NamespaceSocket, type: string)): self
---@overload fun(self, name: "roomJoin" | "roomLeave", fn: fun(socket: painda.NamespaceSocket, room: string)): self
function Namespace:on(name, fn) end

---The same, for the next time only.
---@param name string
---@param fn fun(...)
---@return self
function Namespace:once(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name string
---@param fn? fun(...)
---@return self
function Namespace:off(name, fn) end

---Hears every message in the namespace.
---@param fn fun(msg: painda.Message, ack: painda.Ack, socket: painda.NamespaceSocket)
---@return self
function Namespace:onAny(fn) end

---@param fn? fun(...)
---@return self
function Namespace:offAny(fn) end

---Is asked before a client is let into the namespace; may wait.
---@param fn fun(socket: painda.NamespaceSocket, next: painda.Next)
---@return self
function Namespace:use(fn) end

---Is asked before a message in the namespace is handled; may wait.
---@param fn fun(socket: painda.NamespaceSocket, message: painda.Message, next: painda.Next)
---@return self
function Namespace:useMessage(fn) end

---Sends a message to every client in the namespace but one.
---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.NamespaceSocket | painda.Client | string
---@return integer sent to how many
function Namespace:broadcast(message, except) end

---The same, left out for clients that are behind.
---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.NamespaceSocket | painda.Client | string
---@return integer sent to how many
function Namespace:broadcastVolatile(message, except) end

---Sends a message to every client in the namespace.
---@param type string
---@param payload? any
---@return integer sent to how many
function Namespace:emit(type, payload) end

---Sends what makes `after` out of `before`, as `painda.gaming.diff` gives it; nothing where they are equal.
---@param type string
---@param before any nil: everything is sent
---@param after any
---@return integer sent to how many
function Namespace:emitDelta(type, before, after) end

---Who is in this room of the namespace, or in one of these.
---@param rooms string | string[]
---@return painda.Target
function Namespace:to(rooms) end

---The same as `to`.
---@param rooms string | string[]
---@return painda.Target
function Namespace:in_(rooms) end

---Everybody in the namespace who is not in this room, or in one of these.
---@param rooms string | string[]
---@return painda.Target
function Namespace:except(rooms) end

---The sockets in the namespace, in no order.
---@return painda.NamespaceSocket[]
function Namespace:getClients() end

---A client in a namespace. Fields that the application stores in the client are seen here too.
---@class painda.NamespaceSocket
---@field id string the client's
---@field data table the client's
---@field client painda.Client
---@field server painda.PPServer
---@field namespace painda.Namespace
---@field handshake painda.Handshake
---@field rooms string[] of the namespace, a new array
---@field broadcast painda.Target every other client in the namespace
---@field closed boolean it has left, or the client is gone
---@field reloaded boolean
---@field recovered boolean the client's: its session goes on after a lost connection
local NamespaceSocket = {}

---Listens to a message type, `fn(msg, ack)`, or to an event.
---@param name string
---@param fn fun(msg: painda.Message, ack: painda.Ack)
---@return self
---@overload fun(self, name: "message", fn: fun(msg: painda.Message, ack: painda.Ack)): self
---@overload fun(self, name: "disconnect", fn: fun(reason: string, code: integer)): self
---@overload fun(self, name: "error", fn: fun(err: painda.Error, type: string)): self
function NamespaceSocket:on(name, fn) end

---The same, for the next time only.
---@param name string
---@param fn fun(...)
---@return self
function NamespaceSocket:once(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name string
---@param fn? fun(...)
---@return self
function NamespaceSocket:off(name, fn) end

---Hears every message of the client in this namespace.
---@param fn fun(msg: painda.Message, ack: painda.Ack)
---@return self
function NamespaceSocket:onAny(fn) end

---@param fn? fun(...)
---@return self
function NamespaceSocket:offAny(fn) end

---Sends a message; with a callback, asks for an ack.
---@param type string
---@param payload? any
---@param callback? fun(err?: painda.Error, response?: any)
---@return true? sent, string? err
function NamespaceSocket:emit(type, payload, callback) end

---@param message { type: string, payload?: any } | painda.Message
---@param options? fun(err?: painda.Error, response?: any) | { volatile?: boolean }
---@return true? sent, string? err
function NamespaceSocket:send(message, options) end

---Sends and waits for the ack.
---@param type string
---@param payload? any
---@param timeout? number ms
---@return any response, painda.Error? err
function NamespaceSocket:request(type, payload, timeout) end

---Answers a message by its __ackId.
---@param id integer
---@param response? any
---@return true? sent, string? err
function NamespaceSocket:sendAck(id, response) end

---The time that an ack may take: socket:timeout(500):emit(type, payload, callback).
---@param ms number
---@return painda.NamespaceSocket.Timed
function NamespaceSocket:timeout(ms) end

---Joins a room of the namespace, or several.
---@param rooms string | string[]
---@return true? joined, string? err, string? code
function NamespaceSocket:join(rooms) end

---Leaves a room of the namespace, or several.
---@param rooms string | string[]
---@return boolean was_in_one
function NamespaceSocket:leave(rooms) end

---Who is in this room of the namespace, or in one of these, without this client.
---@param rooms string | string[]
---@return painda.Target
function NamespaceSocket:to(rooms) end

---The same as `to`.
---@param rooms string | string[]
---@return painda.Target
function NamespaceSocket:in_(rooms) end

---Everybody else in the namespace who is not in this room, or in one of these.
---@param rooms string | string[]
---@return painda.Target
function NamespaceSocket:except(rooms) end

---Leaves the namespace; with true, closes the client's connection.
---@param connection_too? boolean
function NamespaceSocket:disconnect(connection_too) end

---Closes the client's connection, as client:close does.
---@param code? integer
---@param reason? string
function NamespaceSocket:close(code, reason) end

---@class painda.NamespaceSocket.Timed
local Timed = {}

---@param type string
---@param payload? any
---@param callback fun(err?: painda.Error, response?: any)
---@return true? sent, string? err
function Timed:emit(type, payload, callback) end

---@param type string
---@param payload? any
---@return any response, painda.Error? err
function Timed:request(type, payload) end

return Namespace
