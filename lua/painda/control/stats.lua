-- What `painda stats` shows: the counters of every server of the process, and the process itself.

local control = require "painda.control"
local files = require "painda.core.files"
local json = require "painda.core.json"
local reload = require "painda.reload"
local runtime = require "painda.core.runtime"

local type, pairs = type, pairs

local _M = {}

local function by_port(a, b)
  return a.port < b.port
end

-- { pid, application, version, generation, memory, cpu, luaMemory …, servers = { getStats() with its port } }
function _M.gather()
  local all = runtime.stats()
  local servers = {}
  for _, object in pairs(reload.objects) do
    if type(object) == "table" and type(object.getStats) == "function" then
      local stats = object:getStats()
      for name in pairs(runtime.stats()) do
        stats[name] = nil -- of the process, not of one server
      end
      stats.port = object.port
      servers[#servers + 1] = stats
    end
  end
  table.sort(servers, by_port)
  all.pid = files.process().pid
  all.application = control.application()
  all.version = runtime.version
  reload.add_stats(all)
  all.servers = json.array(servers)
  for name, value in pairs(files.usage()) do
    all[name] = value
  end
  return all
end

control.command("stats", _M.gather)

return _M
