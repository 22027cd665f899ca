---@meta painda.server
-- For editors only: servers. Never loaded.

---@class painda.PPServer.Recovery
---@field maxBufferSize? integer messages of one session (100)
---@field maxBufferBytes? integer of one session's messages (1 MiB)
---@field retentionMs? integer that a session waits for its client (120,000)
---@field maxTotalBytes? integer of all sessions together (256 MiB)

---@class painda.PPServer.Options
---@field port? integer 0 (any free one) to 65535; needed, but for a Unix socket
---@field host? string an address, a name or "unix:/path"; default all addresses
---@field tls? { cert: string, key: string } paths of PEM files: clients connect with wss
---@field mode? "chat" | "media" | "gaming" | "voice" in the header of what is sent, default "chat"
---@field registry? painda.PPSchemaRegistry
---@field heartbeat? painda.PPServer.Heartbeat | boolean
---@field heartbeatInterval? integer ms, short for heartbeat.interval
---@field compression? { algorithm?: "deflate" | "none", threshold?: integer, level?: integer } | "deflate" | "none"
---@field rateLimit? painda.PPServer.RateLimit
---@field maxMessagesPerSecond? integer short for rateLimit.maxPerSecond
---@field maxPayload? integer bytes of a frame's payload, default 1 MiB
---@field maxDecompressedSize? integer bytes, default 10 MiB
---@field allowedOrigins? string[] such as "https://example.com" or "*.example.com"; default all
---@field maxConnectionsPerIp? integer default 50, 0: any number
---@field maxPendingPerIp? integer connections from one address that are not upgraded yet, default 1024; 0: any number
---@field trustedProxies? string[] addresses and ranges whose X-Forwarded-For is believed; default none
---@field maxBackpressure? integer bytes that may wait for one client, default 1 MiB
---@field onBackpressure? "close" | "drop" default "close"
---@field volatileAbove? integer bytes waiting from which on volatile messages are left out, default 64 KiB
---@field handshakeTimeout? integer ms for TLS and the request, default 10000
---@field handlerTimeout? integer ms of processor time that a handler may work without waiting, default 5000, 0: any time
---@field ackTimeout? integer ms, default 10000
---@field maxPendingAcks? integer open questions to one client, default 1024
---@field maxListeners? integer on one client, default 256
---@field maxRoomsPerClient? integer default 128
---@field maxRoomName? integer bytes, default 255
---@field maxTags? integer of one client, default 64
---@field maxTypedRooms? integer default 10000
---@field middlewareTimeout? integer ms that each middleware has to call next, default 10000
---@field maxPendingMessages? integer of one client that wait to be let into a namespace, or in middleware; default 1024
---@field maxPendingBytes? integer of these messages, default 4 MiB
---@field presence? painda.Presence.Options
---@field recovery? boolean | painda.PPServer.Recovery sessions outlive their connections
---@field recoverySecret? string at least 16 bytes; random for each start where it is not given
---@field logger? painda.LogLevel | { level?: painda.LogLevel }

---@class painda.PPServer.Heartbeat
---@field interval? integer ms of silence until a ping, default 30000
---@field timeout? integer ms that the answer may take, default 10000
---@field onTimeout? fun(client: painda.Client)

---@class painda.PPServer.RateLimit
---@field maxPerSecond? integer
---@field maxPerMinute? integer
---@field strategy? "fixed-window" | "sliding-window"
---@field onLimit? fun(client: painda.Client, info: painda.PPServer.Limited) once in each window that is over
---@field namespaceOverrides? table<string, { maxPerSecond?: integer, maxPerMinute?: integer }> counted separately

---@class painda.PPServer.Limited
---@field namespace? string of an override
---@field limit integer
---@field window "second" | "minute"

---@class painda.PPServer.Stats
---@field clients integer open now
---@field rooms integer that somebody is in, in all namespaces
---@field roomJoins integer since the start
---@field roomLeaves integer since the start, with those of clients that went
---@field connections integer since the start
---@field refused integer
---@field messagesReceived integer
---@field messagesSent integer
---@field bytesReceived integer
---@field bytesSent integer
---@field malformed integer
---@field rateLimited integer
---@field dropped integer messages not sent: the client was behind
---@field forbidden integer control messages that a client may not send
---@field sessionsDetached integer sessions that wait for their client
---@field sessionsRecovered integer
---@field recoveryFailed integer
---@field sessionsExpired integer
---@field sessionsEvicted integer given up because all together were too much
---@field recoveryBytes integer held for clients that may come back
---@field presenceTracked integer clients that presence tracks
---@field uptime number seconds
---@field generation integer number of the code that serves
---@field generationsAlive integer generations whose code, or a waiting task of it, is held; exact a moment after a reload
---@field reloads integer
---@field reloadsFailed integer reloads and rollbacks after which the code went on
---@field rollbacks integer
---@field typedRooms integer rooms of server:room
---@field roomDeltas integer deltas made by typed rooms, each once however many members it was sent to
---@field roomMembersFellBehind integer times that a member was left out, since too much waited for it
---@field roomCatchUpDeltas integer deltas over several changes, sent to members that were behind
---@field roomCatchUps integer whole states sent to members that were behind or had asked
---@field roomResyncs integer times that a member asked for the whole state
---@field roomDesyncs integer of these, since a hash told the member that its state was not the room's
---@field roomErrors integer states that could not be sent, and handlers of typed rooms that raised
---@field luaMemory integer bytes
---@field gcLongestPauseMs number
---@field gcIdleSteps integer
---@field tasksWaiting integer
---@field handlersWaiting integer
---@field handlerErrors integer

---@alias painda.Ack fun(err?: painda.Error | string, response?: any) only the first call counts

---A port that clients connect to, and the handlers of what they send.
---@class painda.PPServer
---@field port integer
---@field options painda.PPServer.Options with their defaults
---@field presence painda.Presence
---@field startedAt number ms, on the runtime's own clock
local Server = {}

---Listens to a message type of every client, `fn(client, payload, ack, msg)`, or to an event.
---@param name string
---@param fn fun(client: painda.Client, payload: any, ack: painda.Ack, msg: painda.Message)
---@return self
---@overload fun(self, name: "connection", fn: fun(client: painda.Client)): self
---@overload fun(self, name: "disconnection", fn: fun(client: painda.Client, reason: string, code: integer)): self
---@overload fun(self, name: "error", fn: fun(err: painda.Error, client: painda.Client, type: string)): self
---@overload fun(self, name: "reload", fn: fun(generation: integer)): self
---@overload fun(self, name: "roomJoin", fn: fun(client: painda.Client, room: string)): self
---@overload fun(self, name: "roomLeave", fn: fun(client: painda.Client, room: string)): self
---@overload fun(self, name: "close", fn: fun()): self
function Server:on(name, fn) end

---The same, for the next time only.
---@param name string
---@param fn fun(...)
---@return self
function Server:once(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name string
---@param fn? fun(...)
---@return self
function Server:off(name, fn) end

---Hears every message of every client.
---@param fn fun(client: painda.Client, type: string, payload: any, ack: painda.Ack)
---@return self
function Server:onAny(fn) end

---@param fn? fun(...)
---@return self
function Server:offAny(fn) end

---Is asked before a client is let in; may wait. Its messages wait meanwhile, and nobody else's.
---@param fn fun(socket: painda.Client, next: painda.Next)
---@return self
function Server:use(fn) end

---Is asked before a message is handled, in any namespace; may wait.
---@param fn fun(socket: painda.Client, message: painda.Message, next: painda.Next)
---@return self
function Server:useMessage(fn) end

---The namespace of that name; "/" is the server itself.
---@param name string begins with a slash
---@return painda.Namespace
function Server:of(name) end

---The typed room of that id: made where there is none, with the state, or what the function returns.
---@param id string
---@param initialState? table | painda.StateSchema | fun(): table | painda.StateSchema default an empty table; a schema makes a declared state
---@param options? painda.TypedRoom.Options
---@return painda.TypedRoom
function Server:room(id, initialState, options) end

---@param id string
---@return painda.TypedRoom?
function Server:getRoom(id) end

---Disposes the typed room.
---@param id string
---@return boolean was_there
function Server:deleteRoom(id) end

---The ids of the typed rooms, in alphabetical order.
---@return string[]
function Server:getRoomIds() end

---Sends a message to every client.
---@param type string
---@param payload? any
---@return integer sent to how many
function Server:emit(type, payload) end

---Sends a message to every client but one.
---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.Client | string a client or its id
---@return integer sent to how many
function Server:broadcast(message, except) end

---The same, left out for clients that are behind.
---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.Client | string
---@return integer sent to how many
function Server:broadcastVolatile(message, except) end

---Sends what makes `after` out of `before`, as `painda.gaming.diff` gives it; nothing where they are equal.
---@param type string
---@param before any nil: everything is sent
---@param after any
---@return integer sent to how many
function Server:emitDelta(type, before, after) end

---Who is in the room, or in one of these: `server:to("red"):emit("move", {})`. A client's id stands for the client.
---@param rooms string | string[]
---@return painda.Target
function Server:to(rooms) end

---The same as `to`.
---@param rooms string | string[]
---@return painda.Target
function Server:in_(rooms) end

---Everybody who is not in the room, or in one of these.
---@param rooms string | string[]
---@return painda.Target
function Server:except(rooms) end

---Sends to the clients that have the tag, with that value where one is given.
---@param name string
---@param value any
---@param message { type: string, payload?: any } | painda.Message
---@return integer sent to how many
---@overload fun(self, name: string, message: { type: string, payload?: any } | painda.Message): integer
function Server:broadcastToTag(name, value, message) end

---The open clients, in no order.
---@return painda.Client[]
function Server:getClients() end

---@param id string
---@return painda.Client?
function Server:getClient(id) end

---@param name string
---@param value? any
---@return painda.Client[]
function Server:getClientsByTag(name, value) end

---@return painda.PPServer.Stats
function Server:getStats() end

---Connects a client within this process.
---@param client painda.PPVirtualClient
---@return painda.PPVirtualClient client
function Server:inject(client) end

---Stops accepting and closes every client. Returns at once; "close" is fired when the last is gone.
function Server:close() end

---Stops accepting, tells the clients, lets handlers finish, closes with 1001, and waits until all are gone.
---@param timeout? number ms, default 5000
---@return boolean nobody_left
function Server:gracefulShutdown(timeout) end

---Installs a plugin. Raises where it can't be, naming it, and changes nothing then.
---@param plugin painda.Plugin
---@param options? any given to its install
---@return self
function Server:register(plugin, options) end

---What the plugin of that name has exposed.
---@param name string
---@return any?
function Server:getPlugin(name) end

---@param name string
---@return boolean
function Server:hasPlugin(name) end

---@return string[] names in the order of registration
function Server:getPluginNames() end

---@class painda.PPServer.Constructor
---@overload fun(options: painda.PPServer.Options): painda.PPServer
local PPServer = {}

---The same as calling it.
---@param options painda.PPServer.Options
---@return painda.PPServer
function PPServer.new(options) end

---A server on the port of an HttpServer.
---@param http painda.HttpServer
---@param options? painda.PPServer.Options
---@return painda.PPServer
function PPServer.attachTo(http, options) end

return PPServer
