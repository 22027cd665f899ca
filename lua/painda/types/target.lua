---@meta painda.target
-- For editors only: whom a message goes to. Never loaded.

---Everybody, or who is in one of some rooms, but for who is in some others. Each step makes a new target.
---@class painda.Target
local Target = {}

---Only who is in this room, or one of these, or of those named before. A client's id stands for the client.
---@param rooms string | string[]
---@return painda.Target
function Target:to(rooms) end

---The same as `to`.
---@param rooms string | string[]
---@return painda.Target
function Target:in_(rooms) end

---Not who is in this room, or one of these.
---@param rooms string | string[]
---@return painda.Target
function Target:except(rooms) end

---What is sent is left out for clients that are behind.
---@return painda.Target
function Target:volatile() end

---@param type string
---@param payload? any
---@return integer sent to how many
function Target:emit(type, payload) end

---@param message { type: string, payload?: any } | painda.Message
---@return integer sent to how many
function Target:send(message) end

---Sends what makes `after` out of `before`, as `painda.gaming.diff` gives it; nothing where they are equal.
---@param type string
---@param before any nil: everything is sent
---@param after any
---@return integer sent to how many
function Target:emitDelta(type, before, after) end

---@return painda.Client[] in no order
function Target:fetchSockets() end

---Makes each of them join a room, or several.
---@param rooms string | string[]
---@return integer joined how many are in all of these now
function Target:socketsJoin(rooms) end

---Makes each of them leave a room, or several.
---@param rooms string | string[]
---@return integer left how many were in one
function Target:socketsLeave(rooms) end

---Closes them, as `client:close` does.
---@param code? integer 1000, or 3000 to 4999
---@param reason? string at most 123 bytes
---@return integer closed
function Target:disconnectSockets(code, reason) end

return Target
