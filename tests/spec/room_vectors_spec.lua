-- The golden vectors of typed rooms in frames (sdk/vectors/rooms.json), which other programs are held to as well.
local core = require "painda.core.client"
local declared = require "painda.declared"
local painda = require "painda"
local room_frames = require "painda.client.room_frames"
local rooms = require "room_support"

local file = assert(io.open "sdk/vectors/rooms.json")
local vectors = assert(painda.json.decode(file:read "*a"))
file:close()

local function unhex(text)
  return (text:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end))
end

-- What the client tells and asks, as the vectors have it.
local function listen(client, told)
  local function note(event)
    client:on(event, function(payload)
      local state = declared.schema_of(payload.state):toTable(payload.state)
      told[#told + 1] = { event = event, room = payload.room, version = payload.version, state = state,
        delta = payload.delta }
    end)
  end
  note "roomState"
  note "roomDelta"
  stub(core, "send", function(_, mtype, payload)
    assert.equal("__pp_room_resync", mtype)
    told[#told + 1] = { event = "resync", room = payload.room, reason = payload.reason }
  end)
end

describe("the golden vectors of rooms in frames", function()
  after_each(function()
    core.send:revert()
  end)

  for _, talk in ipairs(vectors) do
    it("are read as they say: " .. talk.what, function()
      rooms.start()
      local client, told = rooms.connect().client, {}
      listen(client, told)
      for i, step in ipairs(talk.steps) do
        room_frames.on_frame(client, step.typeId, unhex(step.payload))
        assert.same(step.told ~= painda.null and step.told or nil, told[1], ("step %d"):format(i))
        told[1] = nil
      end
    end)
  end
end)
