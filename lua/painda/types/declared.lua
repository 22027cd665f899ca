---@meta painda.declared
-- For editors only: declared states. Never loaded.

local _M = {}

---What painda.map, painda.list, painda.text and painda.quantized return.
---@class painda.StateType

---A field's type: the name of a plain one, a table of fields (a record), or what painda.map, painda.list, painda.text or painda.quantized return.
---@alias painda.StateField painda.TypeName | painda.StateFields | painda.StateType

---@alias painda.StateFields table<string, painda.StateField>

---@class painda.StateLimit
---@field max? integer items of a map (4096) or list (1024), bytes of a text (1024)

---@class painda.Quantized
---@field min number
---@field max number
---@field bits integer 1 to 32: the number travels as one of 2^bits steps

---What a state is made of. Its states are read and written as ordinary fields.
---@class painda.StateSchema
---@field bytes string the schema as it is sent to clients
local schema = {}

---A state at version 0. What it begins with is no change.
---@param initial? table fields that it does not have are 0, false, "" or empty
---@return table state
function schema:new(initial) end

---Gives the whole state the table's values, and initial ones to fields that it does not have.
---@param state table
---@param values table
function schema:assign(state, values) end

---What changed since the last delta; nil where nothing did. With "both" the JSON is the second result.
---@param state table
---@param form? "binary" | "json" | "both"
---@return string? delta
---@return string? json
function schema:delta(state, form) end

---The whole state as of the last delta, as bytes.
---@param state table
---@return string
function schema:snapshot(state) end

---The whole state as of the last delta, as JSON.
---@param state table
---@return string
function schema:json(state) end

---The number of deltas so far.
---@param state table
---@return integer
function schema:version(state) end

---The same number for the same state as of the last delta, here and in every client.
---@param state table
---@return integer
function schema:hash(state) end

---The state becomes again what it was at the last delta.
---@param state table
function schema:revert(state) end

---Takes in a delta; what was written to the state here is lost. But for STATE_DESYNC, nothing is changed where it fails.
---@param state table
---@param bytes string
---@return true? ok
---@return string? message
---@return "DECODE_ERROR" | "DELTA_GAP" | "STATE_DESYNC"? code
function schema:apply(state, bytes) end

---Takes in a snapshot, in place of all that was there.
---@param state table
---@param bytes string
---@return true? ok
---@return string? message
---@return "DECODE_ERROR"? code
function schema:load(state, bytes) end

---The state as it is now, as plain tables.
---@param state table
---@return table
function schema:toTable(state) end

---A list of a state, as it is read: list[1] to list[#list], written to also at #list + 1; nil removes the last item.
---@class painda.StateList
local list = {}

---Puts an item in, in front of the one at a place from 1 to #list + 1; with one argument at the end.
---@param place integer the place, or the item
---@param value? any
---@overload fun(self: painda.StateList, value: any)
function list:insert(place, value) end

---Takes an item out, the last one where no place is given, and returns it.
---@param place? integer
---@return any item nil of a list without items
function list:remove(place) end

---A schema. Raises for what is none, and says where.
---@param fields painda.StateFields
---@return painda.StateSchema
function _M.schema(fields) end

---Items of one type by keys: strings of 1 to 255 bytes.
---@param key "string"
---@param of painda.StateField
---@param options? painda.StateLimit
---@return painda.StateType
function _M.map(key, of, options) end

---Items of one type in a row: painda.StateList.
---@param of painda.StateField
---@param options? painda.StateLimit
---@return painda.StateType
function _M.list(of, options) end

---A string with a limit of its own; "string" alone takes 1024 bytes.
---@param options painda.StateLimit
---@return painda.StateType
function _M.text(options) end

---A number from min to max that travels as one of 2^bits steps. Here it keeps its exact value.
---@param options painda.Quantized
---@return painda.StateType
function _M.quantized(options) end

---The schema that another program has sent.
---@param bytes string
---@return painda.StateSchema?
---@return string? message why the bytes are no schema
---@return "SCHEMA_ERROR"? code
function _M.decodeSchema(bytes) end

return _M
