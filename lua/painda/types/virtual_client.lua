---@meta painda.virtual_client
-- For editors only: what painda.virtual_client offers. Never loaded.

local _M = {}

---@class painda.PPVirtualClient.Options
---@field token? string sent as `__pp_auth`, before anything else
---@field path? string of the handshake, default "/"
---@field query? table<string, any> of the handshake
---@field headers? table<string, any> of the handshake
---@field ackTimeout? integer ms, default 10000
---@field maxPendingAcks? integer default 1024
---@field stateFrames? boolean take the states of rooms that are declared as packed frames, default true

---@class painda.PPVirtualClient: painda.PPClient.Scope
---@field id string
---@field state "closed" | "connecting" | "connected"
---@field server painda.PPServer? that it was last connected to
local Client = {}

---Connects to a server of this process, in the next turn. A client that was closed may connect again.
---@param server painda.PPServer
---@return self
function Client:connect(server) end

---The handle of a namespace, always the same.
---@param name string begins with "/"
---@return painda.PPClient.Namespace | painda.PPVirtualClient
function Client:of(name) end

---@return boolean
function Client:isConnected() end

---The state of a typed room as it was told last; nil where this client knows none.
---@param id string the room's
---@return table? state
---@return integer? version
function Client:roomState(id) end

---Ends the connection, behind what was sent.
---@param code? integer 1000, or 3000 to 4999
---@param reason? string
function Client:close(code, reason) end

---A client within this process. The id, at most 36 bytes, is what the server calls it too.
---@param id? string
---@param options? painda.PPVirtualClient.Options
---@return painda.PPVirtualClient
function _M.PPVirtualClient(id, options) end

return _M
