-- What becomes of the state of a room when new code asks for the room with another schema than its state has.

local Error = require "painda.error"
local reload = require "painda.reload"
local tasks = require "painda.reload.tasks"

local type, pcall, error, loaded = type, pcall, error, package.loaded
local create, resume = coroutine.create, coroutine.resume

local _M = {}

-- A declared state as a plain table.
local function undeclared(room, convert)
  local values = room._told.schema:toTable(room._state)
  if not convert then
    return values
  end
  local fine, made = pcall(convert, values)
  if not fine or type(made) ~= "table" then
    return nil, fine and "migrate returned no table" or "migrate failed: " .. Error.from(made).message
  end
  return made
end

local function next_state(room, initial, options)
  local declared, before = loaded["painda.declared"], room._told.schema
  if type(initial) == "function" then
    initial = (before or options.migrate) and initial() or nil
  end
  if not declared or initial == nil then
    return
  end
  local schema = declared.is_schema(initial) and initial or declared.schema_of(initial)
  if schema == before then
    return
  elseif not schema then
    return undeclared(room, options.migrate)
  elseif options.diffAlgorithm ~= "deep" then
    return nil, "diffAlgorithm is for plain states: a declared one knows what changed"
  end
  return declared.migrate(room._state, initial, options.migrate)
end

-- The state that the room is to get, where `initial` asks for another than it has: its values by name, or as
-- options.migrate makes them. nil: it keeps its own; nil and an error: they would not fit, and nothing is changed.
-- Nothing in it can wait, so nobody writes to the state meanwhile.
function _M.next_state(room, initial, options)
  local fine, state, why = resume(create(tasks.body(reload.generation(), next_state)), room, initial, options)
  if not fine then
    state, why = nil, Error.from(state).message
  end
  if why then
    local text = "the state of room %q does not fit the new schema, %s (the option migrate says what becomes of it)"
    return nil, Error.new(text:format(room.id, why), "ROOM_ERROR")
  end
  return state
end

-- The same, raised at the caller's line.
function _M.check(room, initial, options, level)
  local state, err = _M.next_state(room, initial, options)
  if err then
    error(err, level + 1)
  end
  return state
end

return _M
