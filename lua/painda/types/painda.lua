---@meta painda
-- For editors only: what `require "painda"` offers. Never loaded.

---@class painda
---@field version string of the runtime
---@field null lightuserdata JSON's null
---@field json painda.json
---@field log painda.log
---@field http table the module with HttpServer
---@field testing painda.testing
---@field gaming painda.gaming
---@field PPServer painda.PPServer.Constructor
local painda = {}

painda.HttpServer = require("painda.http").HttpServer
painda.PPClient = require("painda.client").PPClient
painda.PPVirtualClient = require("painda.virtual_client").PPVirtualClient
painda.ppMetricsPlugin = require("painda.metrics").plugin
painda.PPSchemaRegistry = require("painda.schema").PPSchemaRegistry
painda.schema = require("painda.declared").schema
painda.map = require("painda.declared").map
painda.list = require("painda.declared").list
painda.text = require("painda.declared").text
painda.quantized = require("painda.declared").quantized
painda.decodeSchema = require("painda.declared").decodeSchema
painda.structSerializer = require("painda.schema").structSerializer
painda.jsonSerializer = require("painda.schema").jsonSerializer
painda.stringSerializer = require("painda.schema").stringSerializer
painda.bufferSerializer = require("painda.schema").bufferSerializer
painda.mixedSerializer = require("painda.schema").mixedSerializer

---Marks a table as a list, so that an empty one is sent as `[]`.
---@generic T: table
---@param list? T
---@return T list the same table, or a new one
function painda.array(list) end

---@class painda.Error
---@field message string for people
---@field code string for programs

---Makes an error: to raise, or to answer an ack with.
---@param message any
---@param code? string default "HANDLER_ERROR"
---@return painda.Error
function painda.Error(message, code) end

---Waits; others run meanwhile. In handlers and tasks only.
---@param ms number 0 to 1e12
function painda.sleep(ms) end

---Runs `fn(…)` as a task of its own, at once, until it first waits.
---@param fn fun(...)
---@param ... any
function painda.spawn(fn, ...) end

---@class painda.Timer
local Timer = {}

---Ends the timer; false where it had ended already.
---@return boolean
function Timer:cancel() end

---Calls `fn` once.
---@param ms number 0 to 1e12
---@param fn fun()
---@return painda.Timer
function painda.after(ms, fn) end

---Calls `fn` again and again, on the beat; calls that were missed are left out.
---@param ms number 1 to 1e12
---@param fn fun()
---@return painda.Timer
function painda.every(ms, fn) end

---What is made once and stays through reloads.
---@generic T
---@param name string
---@param init? T | fun(): T an empty table where it is left out
---@return T
function painda.state(name, init) end

---Loads the application again, as --watch does when a file changes. Waits. Raises in code that is being loaded.
---@return true? reloaded
---@return integer | string number of the new generation, or why the old one goes on
function painda.reload() end

---Goes back to the version of the application that served before, as `painda rollback` does. Waits. Raises in code that
---is being loaded.
---@return true? rolled_back
---@return integer | string number of the new generation, or why the code goes on
function painda.rollback() end

---Calls `fn` when the code that is running is replaced by a reload, or given up because the new version failed: for what
---an application holds itself.
---@param fn fun()
function painda.on_unload(fn) end

---JSON as messages are read and written: strict, bounded, lists marked.
---@class painda.json
---@field null lightuserdata
local json = {}

---@param text string
---@return any value
---@return string? problem where the value is nil
function json.decode(text) end

---@param value any
---@return string? text
---@return string? problem what can't be encoded, and where
function json.encode(value) end

---@generic T: table
---@param list? T
---@return T
function json.array(list) end

---@alias painda.LogLevel "debug" | "info" | "warn" | "error" | "silent"

---One line an event, with fields: `log.info("joined", { room = "lobby" })`.
---@class painda.log
local log = {}

---@param text any
---@param fields? table<string, any> at most 16
function log.debug(text, fields) end

---@param text any
---@param fields? table<string, any> at most 16
function log.info(text, fields) end

---@param text any
---@param fields? table<string, any> at most 16
function log.warn(text, fields) end

---@param text any
---@param fields? table<string, any> at most 16
function log.error(text, fields) end

---The least level that is written.
---@param level painda.LogLevel
function log.set_level(level) end

return painda
