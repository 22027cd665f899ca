---@meta painda.gaming
-- For editors only: deltas. Never loaded.

---What changed in a state, as a value that is sent in its place.
---@class painda.gaming
---@field PP_DELETED table what stands in a delta for a member that is gone
local gaming = {}

---What makes `after` out of `before`; nil where nothing changed. Raises where one of them can't be sent.
---@param before any
---@param after any
---@return any delta
function gaming.diff(before, after) end

---Changes the state to what the delta says and returns it. Nil and a reason where the delta does not fit: nothing is
---changed then.
---@param state any
---@param delta any
---@return any state
---@return string? why
function gaming.patch(state, delta) end

---The same as a new state, which shares with the old one what the delta does not name.
---@param state any
---@param delta any
---@return any state
---@return string? why
function gaming.patchImmutable(state, delta) end

---@param value any
---@return boolean
function gaming.isDeleted(value) end

---@param value any
---@return boolean
function gaming.isArrayOps(value) end

---A state and what of it was told last.
---@param initial? any an empty table where it is left out
---@return painda.StateManager
function gaming.StateManager(initial) end

---@class painda.StateManager
local StateManager = {}

---Changes the state: a function does, or returns another one; or a table of changes is merged in, as a delta is.
---@param change table | fun(state: any): any
---@return self
function StateManager:update(change) end

---@return any state the table itself
function StateManager:getState() end

---@param state any
---@return self
function StateManager:setState(state) end

---What changed since it was asked last, or nil. Raises where the state can't be sent.
---@return any delta
function StateManager:getDelta() end

return gaming
