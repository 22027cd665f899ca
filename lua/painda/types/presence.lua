---@meta painda.presence
-- For editors only: who is there. Never loaded.

---@class painda.Presence.Options
---@field syncInterval? integer ms between two syncs at least, default 2000
---@field broadcastOnChange? boolean sync at once where nothing was sent for an interval, default true
---@field syncMode? "full" | "diff" send the list, or what changed; default "full"
---@field maxMetadataSize? integer bytes of one client's data as JSON, default 16384
---@field maxTracked? integer clients, default 10000

---@class painda.Presence.Entry
---@field clientId string
---@field data any
---@field joinedAt number ms since 1970
---@field updatedAt number ms since 1970

---Who is there, with data of the application's: `server.presence`.
---@class painda.Presence
local Presence = {}

---Makes the client one of those that are there; where it is one already, replaces its data.
---@param client painda.Client | string a client or its id
---@param data? any what JSON can hold, default an empty object
---@return true? tracked nil where it is gone, or maxTracked are there
---@return string? why
function Presence:track(client, data) end

---Changes the given keys of a tracked client's data, or all of it where one of the two is no table with keys.
---@param client painda.Client | string
---@param data any
---@return true? updated
---@return string? why "not tracked"
function Presence:update(client, data) end

---@param client painda.Client | string
---@return boolean was_tracked
function Presence:untrack(client) end

---@param client painda.Client | string
---@return painda.Presence.Entry?
function Presence:get(client) end

---All that are there, in the order in which they came.
---@return painda.Presence.Entry[]
function Presence:list() end

---@return integer
function Presence:count() end

---Sends the whole list to all that are tracked, now.
---@return self
function Presence:sync() end

---Listens to "join", "update" or "leave", told at once, or to "change", told once for all that one sync tells.
---@param name "join" | "update" | "leave"
---@param fn fun(entry: painda.Presence.Entry, client: painda.Client)
---@return self
---@overload fun(self, name: "change", fn: fun(entries: painda.Presence.Entry[])): self
function Presence:on(name, fn) end

---Stops listening: one function, or every listener of that name.
---@param name "join" | "update" | "leave" | "change"
---@param fn? fun(...)
---@return self
function Presence:off(name, fn) end

---The whole list, whenever it has changed, at most once an interval.
---@param fn fun(entries: painda.Presence.Entry[])
---@return self
function Presence:onChange(fn) end

return Presence
