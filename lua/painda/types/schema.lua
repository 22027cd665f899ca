---@meta painda.schema
-- For editors only: what painda.schema offers. Never loaded.

local _M = {}

---The types with a name. An array is `{ type = "array", of = … }`, a record inside a record is a list of fields.
---@alias painda.TypeName
---| "uint8" # whole, 0 to 255
---| "uint16" # whole, 0 to 65535
---| "uint32" # whole, 0 to 4294967295
---| "int8" # whole, -128 to 127
---| "int16" # whole, -32768 to 32767
---| "int32" # whole, -2147483648 to 2147483647
---| "float32" # rounded to 24 bits
---| "float64" # every Lua number as it is
---| "bool" # one byte
---| "varint" # whole, 0 to 2^53 - 1, in 1 to 8 bytes
---| "string" # UTF-8, at most 65535 bytes
---| "bytes" # any bytes

---@class painda.ArrayType
---@field type "array"
---@field of painda.Type what each element is

---@alias painda.Type painda.TypeName | painda.ArrayType | painda.Field[]

---@class painda.Field
---@field name string the key in the Lua table
---@field type painda.Type | "array"
---@field of? painda.Type with type "array": what each element is

---@class painda.SerializerOptions
---@field upgrade? fun(fromVersion: integer, value: any): any turns a payload of another version into today's value; it cannot wait. Raise, or return nil, to refuse

---@class painda.StructOptions: painda.SerializerOptions
---@field previous? table<integer, painda.Field[]> the fields of earlier versions; without an entry `upgrade` gets the bytes

---How a payload becomes bytes. It may be registered with several registries.
---@class painda.Serializer

---A value packed by its fields, big-endian, without padding, in the order given.
---@param id integer the type id, 1 to 65279
---@param fields painda.Field[]
---@param options? painda.StructOptions
---@return painda.Serializer
---@overload fun(fields: painda.Field[], options?: painda.StructOptions): painda.Serializer
function _M.structSerializer(id, fields, options) end

---The payload's JSON alone.
---@param id? integer
---@param options? painda.SerializerOptions
---@return painda.Serializer
---@overload fun(options: painda.SerializerOptions): painda.Serializer
function _M.jsonSerializer(id, options) end

---A UTF-8 string.
---@param id? integer
---@param options? painda.SerializerOptions
---@return painda.Serializer
---@overload fun(options: painda.SerializerOptions): painda.Serializer
function _M.stringSerializer(id, options) end

---A string of any bytes.
---@param id? integer
---@param options? painda.SerializerOptions
---@return painda.Serializer
---@overload fun(options: painda.SerializerOptions): painda.Serializer
function _M.bufferSerializer(id, options) end

---A table of which one field holds bytes; the rest travels as JSON.
---@param id integer
---@param binaryField string
---@param options? painda.SerializerOptions
---@return painda.Serializer
---@overload fun(binaryField: string, options?: painda.SerializerOptions): painda.Serializer
function _M.mixedSerializer(id, binaryField, options) end

---@class painda.SchemaInfo
---@field name string
---@field id integer
---@field version integer
---@field kind "struct" | "json" | "string" | "buffer" | "mixed"

---Message types that travel as bytes. Hand it to PPServer, PPClient and RedisAdapter as `registry`.
---@class painda.PPSchemaRegistry
local registry = {}

---Raises where the name or the type id is taken.
---@param name string
---@param version integer 1 to 65535; 1 where it is left out
---@param serializer painda.Serializer
---@return painda.PPSchemaRegistry self
---@overload fun(self: painda.PPSchemaRegistry, name: string, serializer: painda.Serializer): painda.PPSchemaRegistry
function registry:register(name, version, serializer) end

---@param nameOrId string | integer
---@return painda.SchemaInfo? # nil where nothing is registered so
function registry:get(nameOrId) end

---The payload of a value.
---@param nameOrId string | integer
---@param value any
---@return string? bytes
---@return string? message why the value does not fit
---@return "SCHEMA_ERROR"? code
function registry:encode(nameOrId, value) end

---The value of a payload.
---@param nameOrId string | integer
---@param bytes string
---@param version? integer the version it was encoded with; 0 or nothing: the registered one
---@return any value
---@return string? message why the bytes are refused
---@return "SCHEMA_ERROR"? code
function registry:decode(nameOrId, bytes, version) end

---@return painda.PPSchemaRegistry
function _M.PPSchemaRegistry() end

return _M
