---@meta painda.client
-- For editors only: what painda.client offers. Never loaded.

local _M = {}

---@class painda.PPClient.Options
---@field url string `ws://host:port/path`, `wss://…` or `ws+unix:/path/of/socket:/path`
---@field reconnect? boolean default true
---@field reconnectDelay? number ms, default 1000
---@field reconnectDelayMax? number ms, default 30000
---@field reconnectAttempts? number in a row, default math.huge
---@field backoff? "exponential" | "linear" | "fibonacci" | fun(attempt: integer): number default "exponential"
---@field jitter? number 0 to 1, default 0.2
---@field getToken? fun(client: painda.PPClient): string?, any? called for every connection; may wait
---@field ackTimeout? number ms, default 10000
---@field maxPendingAcks? integer default 1024
---@field registry? painda.PPSchemaRegistry
---@field mode? "chat" | "media" | "gaming" | "voice" default "chat"
---@field json? boolean send JSON text instead of frames, default false
---@field stateFrames? boolean take the states of rooms that are declared as packed frames, default true; with `json` never
---@field offlineQueue? integer messages kept while disconnected, default 256
---@field headers? table<string, string> added to the handshake
---@field caFile? string PEM file of the authorities to trust instead of the system's
---@field tls? { ca?: string, insecure?: boolean }
---@field connectTimeout? number ms, default 20000
---@field heartbeat? { interval?: number, timeout?: number } | boolean default 30000 and 10000 ms
---@field heartbeatInterval? number ms
---@field compression? { algorithm?: "deflate" | "none", threshold?: integer } | "deflate" | "none"
---@field maxPayload? integer bytes, default 10 MiB
---@field maxDecompressedSize? integer bytes, default 10 MiB
---@field maxBackpressure? integer bytes, default 16 MiB

---@alias painda.PPClient.State "connecting" | "connected" | "reconnecting" | "closed"

---@alias painda.PPClient.Ack fun(err?: any, response?: any) only the first call counts

---@class painda.PPClient.Message
---@field type string
---@field payload any
---@field __ns? string
---@field __ackId? integer

---@class painda.PPClient.Presence
---@field presences painda.Presence.Entry[] who is there
---@field changes? table[] where the server told what changed

---What a client and its namespaces share.
---@class painda.PPClient.Scope
local Scope = {}

---Listens to a message type, `fn(payload, ack, msg)`, or to an event.
---@param name string
---@param fn fun(...)
---@return self
---@overload fun(self, name: "message", fn: fun(msg: painda.PPClient.Message, ack: painda.PPClient.Ack)): self
---@overload fun(self, name: "open" | "connect", fn: fun()): self
---@overload fun(self, name: "disconnect", fn: fun(reason: string, code: integer, text: string)): self
---@overload fun(self, name: "close", fn: fun(code: integer, text: string)): self
---@overload fun(self, name: "error" | "serverError", fn: fun(err: painda.Error)): self
---@overload fun(self, name: "reconnecting", fn: fun(attempt: integer, delay: integer)): self
---@overload fun(self, name: "reconnect" | "reconnectFailed", fn: fun(attempts: integer)): self
---@overload fun(self, name: "stateChange", fn: fun(state: painda.PPClient.State, before: painda.PPClient.State)): self
---@overload fun(self, name: "roomState", fn: fun(payload: { room: string, state: table, full: true, version: integer })): self
---@overload fun(self, name: "roomDelta", fn: fun(payload: { room: string, delta: any, version: integer, state?: table })): self
---@overload fun(self, name: "recovery", fn: fun(payload: { sid: string, offset: integer, recovered: boolean, missedCount: integer })): self
---@overload fun(self, name: "presence", fn: fun(told: painda.PPClient.Presence)): self
function Scope:on(name, fn) end

---The same, for the next time only.
---@param name string
---@param fn fun(...)
---@return self
function Scope:once(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name string
---@param fn? fun(...)
---@return self
function Scope:off(name, fn) end

---Hears every message.
---@param fn fun(type: string, payload: any, ack: painda.PPClient.Ack)
---@return self
function Scope:onAny(fn) end

---@param fn? fun(...)
---@return self
function Scope:offAny(fn) end

---Sends a message, now or once connected; with a callback, asks for an ack.
---@param type string
---@param payload? any
---@param callback? fun(err?: painda.Error, response?: any)
---@return true? sent
---@return string? why it was not
function Scope:emit(type, payload, callback) end

---@param message { type: string, payload?: any }
---@param with? fun(err?: painda.Error, response?: any) | { volatile?: boolean, namespace?: string }
---@return true? sent
---@return string? why it was not
function Scope:send(message, with) end

---Sends and waits for the ack.
---@param type string
---@param payload? any
---@param timeout? number ms
---@return any response
---@return painda.Error? err
function Scope:request(type, payload, timeout) end

---Answers a message by its `__ackId`.
---@param id integer
---@param response? any
---@return true? sent
---@return string? why it was not
function Scope:sendAck(id, response) end

---@class painda.PPClient.Timed
local Timed = {}

---@param type string
---@param payload any
---@param callback fun(err?: painda.Error, response?: any)
---@return true? sent
---@return string? why it was not
function Timed:emit(type, payload, callback) end

---@param type string
---@param payload? any
---@return any response
---@return painda.Error? err
function Timed:request(type, payload) end

---The time that one ack may take.
---@param ms number
---@return painda.PPClient.Timed
function Scope:timeout(ms) end

---@class painda.PPClient.Namespace: painda.PPClient.Scope
---@field ns string

---@class painda.PPClient: painda.PPClient.Scope
---@field url string
---@field state painda.PPClient.State
---@field id? string given by a server that recovers sessions
---@field recoverySessionId? string
---@field dropped integer messages that were given up
---@field desyncs integer of these, since the state was not the server's
---@field resyncs integer times that the state of a typed room was asked for, since a delta was missed
local Client = {}

---The handle of a namespace, always the same.
---@param name string begins with "/"
---@return painda.PPClient.Namespace | painda.PPClient
function Client:of(name) end

---@return boolean
function Client:isConnected() end

---@return integer messages that wait for a connection
function Client:queueSize() end

---The state of a typed room as it was told last; nil where this client knows none.
---@param id string the room's
---@return table? state
---@return integer? version
function Client:roomState(id) end

---@return integer bytes that wait to be written
function Client:bufferedAmount() end

---Ends the client for good, behind what was sent.
---@param code? integer 1000, or 3000 to 4999
---@param reason? string
function Client:close(code, reason) end

---Sends what it has, closes with 1001 and waits for the server's answer; `painda run` calls it at the end.
---@param timeout? number ms
function Client:gracefulShutdown(timeout) end

---A WebSocket client. It connects at once; events come from the loop's next turn on.
---@param options painda.PPClient.Options
---@return painda.PPClient
---@overload fun(url: string, options?: painda.PPClient.Options): painda.PPClient
function _M.PPClient(options) end

return _M
