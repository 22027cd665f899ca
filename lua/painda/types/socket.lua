---@meta painda.socket
-- For editors only: what a server's handlers are given for each client. Never loaded.

---A message as it came. Its payload is decoded when it is first read.
---@class painda.Message
---@field type string
---@field payload any
---@field __ns? string
---@field __ackId? integer

---@class painda.Handshake
---@field path string
---@field query table<string, string>
---@field headers table<string, string> names in lower case
---@field address string
---@field port integer
---@field secure boolean
---@field token? string

---@class painda.Client
---@field id string
---@field data table the application's own; stays through reloads
---@field server painda.PPServer
---@field handshake painda.Handshake
---@field rooms string[] the rooms it is in, in no order: a new array each time
---@field broadcast painda.Target every other client
---@field reloaded? boolean a connection handler has run for it again
---@field closed? boolean it has no connection; where `recovery` is on, it may come back
---@field recovered boolean its session goes on after a lost connection
---@field recoveryFailure? "unknown" | "token" | "gap" why the session that it asked for did not
local Client = {}

---Listens to a message type, `fn(payload, ack, msg)`, or to an event.
---@param name string
---@param fn fun(payload: any, ack: painda.Ack, msg: painda.Message)
---@return self
---@overload fun(self, name: "message", fn: fun(msg: painda.Message)): self
---@overload fun(self, name: "disconnect", fn: fun(reason: string, code: integer)): self
---@overload fun(self, name: "error", fn: fun(err: painda.Error, type: string)): self
function Client:on(name, fn) end

---The same, for the next time only.
---@param name string
---@param fn fun(...)
---@return self
function Client:once(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name string
---@param fn? fun(...)
---@return self
function Client:off(name, fn) end

---Hears every message.
---@param fn fun(type: string, payload: any, ack: painda.Ack)
---@return self
function Client:onAny(fn) end

---@param fn? fun(...)
---@return self
function Client:offAny(fn) end

---Sends a message; with a callback, asks for an ack.
---@param type string
---@param payload? any
---@param callback? fun(err?: painda.Error, response?: any)
---@return true? sent
---@return "closed"? problem
function Client:emit(type, payload, callback) end

---@param message { type: string, payload?: any } | painda.Message
---@param options? fun(err?: painda.Error, response?: any) | { volatile?: boolean, namespace?: string }
---@return true? sent
---@return "closed"? problem
function Client:send(message, options) end

---Sends and waits for the ack.
---@param type string
---@param payload? any
---@param timeout? number ms
---@return any response
---@return painda.Error? err
function Client:request(type, payload, timeout) end

---Sends bytes as one WebSocket message, with no frame around.
---@param bytes string
---@param text? boolean as a text message
---@return true? sent
---@return "closed"? problem
function Client:sendRaw(bytes, text) end

---Answers a message by its `__ackId`.
---@param id integer
---@param response? any
---@return true? sent
---@return "closed"? problem
function Client:sendAck(id, response) end

---@class painda.Client.Timed
local Timed = {}

---@param type string
---@param payload any
---@param callback fun(err?: painda.Error, response?: any)
---@return true? sent
---@return "closed"? problem
function Timed:emit(type, payload, callback) end

---@param type string
---@param payload? any
---@return any response
---@return painda.Error? err
function Timed:request(type, payload) end

---The time that one ack may take.
---@param ms number
---@return painda.Client.Timed
function Client:timeout(ms) end

---Joins a room or several: all, or where that can't be, none.
---@param rooms string | string[]
---@return true? joined
---@return string? problem
---@return "ROOM_ERROR" | "closed" | nil code
function Client:join(rooms) end

---@param rooms string | string[]
---@return boolean left it was in one of them
function Client:leave(rooms) end

---Who is in the room, or in one of these, without this client.
---@param rooms string | string[]
---@return painda.Target
function Client:to(rooms) end

---The same as `to`.
---@param rooms string | string[]
---@return painda.Target
function Client:in_(rooms) end

---Everybody but this client and who is in the room, or in one of these.
---@param rooms string | string[]
---@return painda.Target
function Client:except(rooms) end

---Closes the connection behind what was sent.
---@param code? integer 1000, or 3000 to 4999
---@param reason? string at most 123 bytes
function Client:close(code, reason) end

---@param name string
---@param value? any default true
---@return self
function Client:setTag(name, value) end

---@param name string
---@return any
function Client:getTag(name) end

---@param name string
---@return boolean
function Client:hasTag(name) end

---@param name string
---@return self
function Client:removeTag(name) end

---@return table<string, any> copy
function Client:getAllTags() end

---@return integer bytes that wait to be written
function Client:bufferedAmount() end
