-- Whether this LuaJIT can be relied on. The one that Debian 12 installs by default compiles `next` and `pairs` into
-- code that may lose half a pointer; OpenResty's branch, which has table.nkeys, does not, nor do later ones.

local _M = {}

-- What to be told of, or nil. `version` is jit.version, `is_branch` whether it is OpenResty's.
function _M.fault(version, is_branch)
  if version == "LuaJIT 2.1.0-beta3" and not is_branch then
    return "this LuaJIT may crash in loops over tables: install libluajit2-5.1-2 in the place of libluajit-5.1-2"
  end
end

-- The same of the LuaJIT that runs.
function _M.own_fault()
  return _M.fault(jit.version, (pcall(require, "table.nkeys")))
end

return _M
