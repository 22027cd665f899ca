-- Where the control sockets of this user's servers are: a folder that only they can enter, one file for each server,
-- named by application and process: arena-4711.sock.

local files = require "painda.core.files"

local getenv, ipairs, tonumber, remove = os.getenv, ipairs, tonumber, os.remove

local OWNER_ONLY = 448 -- 0700
local NAME_MAX = 32 -- bytes of the application's name
local FOLDER_MAX = 96 - NAME_MAX - #"/-1234567.sock" -- a socket is opened under a longer name; 107 is the most

local _M = {}

-- nil where the folder is there and nobody else can reach into it, or what is wrong.
local function fault_of(directory)
  local status, err = files.status(directory)
  if not status then
    return err
  end
  if status.kind ~= "directory" or status.uid ~= files.process().uid then
    return directory .. " is not a folder of this user"
  end
  if status.mode % 64 ~= 0 then
    return directory .. " can be entered by others (chmod 700 makes it safe)"
  end
end

-- The folders that may hold sockets, best first. A service has no XDG_RUNTIME_DIR where its user's shell has one, so
-- whoever looks for servers looks in all.
local function candidates()
  local list = {}
  local given = getenv "PAINDA_CONTROL_DIR"
  if given and given ~= "" then
    return { given }
  end
  local runtime_dir = getenv "XDG_RUNTIME_DIR"
  local is_usable = runtime_dir and runtime_dir:find "^/" and #runtime_dir + #"/painda" <= FOLDER_MAX
  if is_usable and not fault_of(runtime_dir) then
    list[1] = runtime_dir .. "/painda"
  end
  list[#list + 1] = "/tmp/painda-" .. files.process().uid
  return list
end

-- The folder to put a socket into, made if need be; or nil and what is wrong.
function _M.directory()
  local fault
  for _, directory in ipairs(candidates()) do
    files.make_directory(directory, OWNER_ONLY) -- fails where it is there
    fault = fault_of(directory)
    if not fault then
      return directory
    end
  end
  return nil, fault
end

-- The name of an application for people: that of its file, or of its folder where the file's says nothing.
function _M.name_of(application)
  local folder, file = application:match "([^/]*)/([^/]*)$"
  local name = (file or application):gsub("%.lua$", "")
  if (name == "app" or name == "main" or name == "init" or name == "server") and folder and folder:find "%w" then
    name = folder
  end
  return (name:gsub("[^%w_.-]", "_"):sub(1, NAME_MAX))
end

function _M.path(directory, application, pid)
  return ("%s/%s-%d.sock"):format(directory, _M.name_of(application), pid)
end

-- The sockets that are there: { path, name, pid }, whether or not somebody listens.
function _M.sockets()
  local found = {}
  for _, directory in ipairs(candidates()) do
    for _, file in ipairs(not fault_of(directory) and files.list(directory) or {}) do
      local name, pid = file:match "^(.*)%-(%d+)%.sock$"
      if name then
        found[#found + 1] = { path = directory .. "/" .. file, name = name, pid = tonumber(pid) }
      end
    end
  end
  table.sort(found, function(a, b)
    return a.pid < b.pid
  end)
  return found
end

-- Removes what dead processes left. A process that is alive is not asked.
function _M.tidy(dial)
  for _, socket in ipairs(_M.sockets()) do
    if not files.alive(socket.pid) then
      local line, _, nobody = dial(socket.path) -- a folder shared with a container: pids say nothing there
      if line then
        line:close()
      elseif nobody then
        remove(socket.path)
      end
    end
  end
end

return _M
