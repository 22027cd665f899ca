---@meta painda.typed_room
-- For editors only: rooms with a state that their members see. Never loaded.

---@class painda.TypedRoom.Options
---@field maxClients? integer members at most, those included that are away and may come back; default any number
---@field tickRate? number ms between two ticks, default 16
---@field syncOnJoin? boolean send the whole state to who joins, default true
---@field metadata? table anything about the room that is not for its members
---@field auth? fun(client: painda.Client, data: any, room: painda.TypedRoom): boolean?, string? may it join, and if not, why; may wait
---@field diffAlgorithm? "deep" | "shallow" | fun(old: table, new: table): table? how a change is found, default "deep"
---@field onFull? "reject" | "kick-oldest" default "reject"
---@field maxStateSize? integer bytes of the state as JSON, default half of the server's maxBackpressure
---@field slowAbove? integer bytes waiting for a member from which on it is sent no deltas, default the server's volatileAbove
---@field migrate? fun(old: table): table the values of a declared state for its new schema: after a reload, by name otherwise
---@field maxKeptStates? integer states that members behind saw last, kept so that they are sent a delta from there, default 8
---@field entities? string | string[] maps of the state that views choose from
---@field view? painda.TypedRoom.View | fun(client: painda.Client, room: painda.TypedRoom): painda.TypedRoom.View? what who joins sees
---@field resyncInterval? integer ms between two whole states that a member asks for or is sent for being behind, default 1000

---What of some maps a member sees: what a function says, or what is near.
---@alias painda.TypedRoom.View painda.TypedRoom.Filter | painda.TypedRoom.ViewOptions
---@alias painda.TypedRoom.Filter fun(id: string, entity: any, map: string): boolean?

---@class painda.TypedRoom.ViewOptions
---@field map? string | string[] maps of the state, default the room's `entities`
---@field filter? painda.TypedRoom.Filter this, or a radius
---@field radius? number how far the member sees
---@field margin? number what is seen stays until it is farther than radius + margin, default 0
---@field x? string the entities' first coordinate, default "x"
---@field y? string the second, default "y"
---@field of? string | painda.Client the entity in the centre, default the member's id
---@field at? { x: number, y: number } the centre, in the place of `of`; looked at in each tick

---A room with a state that its members see: `server:room(id, initialState, options)`.
---@class painda.TypedRoom
---@field id string
---@field server painda.PPServer
---@field clientCount integer members that are connected
---@field locked boolean
---@field disposed boolean
---@field metadata table
local TypedRoom = {}

---Makes the client a member: it is sent the state, then what changes. May wait, where `auth` does.
---@param client painda.Client
---@param data? any given to `auth`
---@return boolean joined true also where it was a member already
---@return string? why "locked", "full", "closed", "disposed", or what `auth` says ("refused")
function TypedRoom:join(client, data) end

---@param client painda.Client
---@return boolean was_member
function TypedRoom:leave(client) end

---Is it a member? One that has lost its connection is, while its session is kept.
---@param client painda.Client
---@return boolean
function TypedRoom:has(client) end

---The members that are connected, in the order of joining.
---@return painda.Client[]
function TypedRoom:getClients() end

---Nobody can join from here on.
---@return self
function TypedRoom:lock() end

---@return self
function TypedRoom:unlock() end

---Changes the state: the members are told at the next tick. Without a function: it was changed elsewhere.
---@param fn? fun(state: table)
---@return self? room nil where it is disposed
---@return string? why "disposed"
function TypedRoom:update(fn) end

---Another table is the state from here on. A declared state stays, and gets the table's values.
---@param state table
---@return self? room nil where it is disposed
---@return string? why "disposed"
function TypedRoom:setState(state) end

---The state itself. Where it is changed, `update()` says so.
---@return table
function TypedRoom:getState() end

---Sends a message to every member but one.
---@param message { type: string, payload?: any } | painda.Message
---@param except? painda.Client | string a client or its id
---@return integer sent to how many
function TypedRoom:broadcast(message, except) end

---Which part of the state a client sees from now on; nil: all of it. Before it joins, it is for when it does.
---@param client painda.Client
---@param view? painda.TypedRoom.View
---@return self? room nil where it is disposed
---@return string? why "disposed"
function TypedRoom:setView(client, view) end

---The view that a client was given.
---@param client painda.Client
---@return painda.TypedRoom.View?
function TypedRoom:getView(client) end

---What the room did: `members`, `viewers` (those with a view), `viewDeltas` (sent to them), `viewEncodes` (how many of
---these were made), `viewBytes`, `version`, `deltas`, `fellBehind`, `catchUps` (whole states sent to members that were
---behind or had asked), `catchUpDeltas`, `resyncs`, `errors`.
---@return { members: integer, viewers: integer, viewDeltas: integer, viewEncodes: integer, viewBytes: integer, version: integer, deltas: integer, fellBehind: integer, catchUps: integer, catchUpDeltas: integer, resyncs: integer, errors: integer }
function TypedRoom:getStats() end

---Listens to "join", "leave", or "tick": at each tick, before the members are told. A tick handler may change the state,
---and returns false where it has not.
---@param name "join"
---@param fn fun(client: painda.Client)
---@return self
---@overload fun(self, name: "leave", fn: fun(client: painda.Client, reason: string)): self
---@overload fun(self, name: "tick", fn: fun(state: table, elapsed: number, room: painda.TypedRoom): boolean?): self
function TypedRoom:on(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name "join" | "leave" | "tick"
---@param fn? fun(...)
---@return self
function TypedRoom:off(name, fn) end

---Ends the room: its members leave, its id is free.
---@return boolean was_there
function TypedRoom:dispose() end

return TypedRoom
