-- The ports that an application opens: what `painda run --port` makes of them, and which of its own objects has one.

local Error = require "painda.error"
local reload = require "painda.reload"

local pairs, tostring, type = pairs, tostring, type

local _M = {
  first = nil, -- the port of --port: what the first that each generation opens becomes
}

-- The port to open where the running code says `port`, and the part of reload's key that stands for it. The first of a
-- generation is that of --port whatever the code says, so that a reload which says another finds the server again.
function _M.chosen(port)
  local generation = reload.generation()
  if not _M.first or not port then
    return port, tostring(port)
  end
  if not generation.first_port then
    generation.first_port = port
  elseif generation.first_port ~= port or port == 0 then
    return port, tostring(port)
  end
  return _M.first, "--port"
end

local function on_port(objects, port)
  for _, object in pairs(objects) do
    if type(object) == "table" and object.port == port and object._listener then
      return object
    end
  end
end

-- Who of the application's own has the port that can't be opened, and what to do; or nil.
local function own_holder(port)
  local generation = reload.generation()
  local own = on_port(generation.opened, port) or generation == reload.current and on_port(reload.objects, port)
  local served = not own and on_port(reload.objects, port)
  if own then
    return ("the application itself has it, for %s; PPServer.attachTo(http, …) shares an HttpServer's port")
      :format(tostring(own))
  end
  return served and ("the code that serves has it, for %s, until this code serves; another host or kind of server on "
    .. "the same port takes a restart"):format(tostring(served))
end

-- What to raise where a server's port could not be opened because of `why`.
function _M.fault(why, port)
  local taken = why:match "^(.*: Address already in use) %b()$"
  local holder = taken and port and own_holder(port)
  return Error.outside(holder and ("%s (%s)"):format(taken, holder) or why, "TRANSPORT_ERROR")
end

return _M
