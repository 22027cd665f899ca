---@meta painda.metrics
-- For editors only: the metrics plugin. Never loaded.

---@class painda.ppMetricsPlugin.Options
---@field prefix? string of the metrics' names, default "painda"
---@field labels? table<string, string | number> on every sample
---@field handlerTime? boolean measure the time of message handlers, default true
---@field loopDelay? boolean measure the turns of the event loop, default true

---@class painda.Metrics.Snapshot
---@field messagesReceived integer
---@field messagesSent integer
---@field bytesReceived integer
---@field bytesSent integer
---@field connectionsTotal integer
---@field disconnectionsTotal integer
---@field roomJoinsTotal integer
---@field roomLeavesTotal integer
---@field errorsTotal integer

---@class painda.Metrics.Histogram
---@field bounds number[] seconds, rising
---@field counts integer[] of what took at most that bound and more than the one before; one more of what took longer
---@field count integer
---@field sum number seconds

---What `server:getPlugin "pp-metrics"` gives.
---@class painda.Metrics
local Metrics = {}

---The counters since the server began.
---@return painda.Metrics.Snapshot
function Metrics:snapshot() end

---@return { handlerTime: painda.Metrics.Histogram, loopDelay: painda.Metrics.Histogram }
function Metrics:histograms() end

---Everything in Prometheus' text format, version 0.0.4.
---@return string
function Metrics:prometheus() end

return { plugin = {} }
