-- Deltas of views, held against random changes: who sees some items of a state has a state of these items, in bytes and
-- by its hash. PP_SEED=n begins elsewhere; a failure names its seed.
local ffi = require "ffi"
local declared = require "painda.declared"
local memory = require "painda.declared.memory"
local painda = require "painda"

ffi.cdef [[
struct pp_state_sight {
  uint32_t count;
  struct { uint32_t field, words; const uint64_t *known, *seen; } maps[8];
};
int pp_state_map_field(void *root, const char *name, size_t len);
void pp_state_want_pieces(void *root, bool wanted);
int pp_state_view_delta(void *root, const struct pp_state_sight *sight, const void *changes, bool always,
                        struct pp_state_buf *out);
void pp_state_view_snapshot(void *root, const struct pp_state_sight *sight, struct pp_state_buf *out);
]]
local C = ffi.C

local SEED = tonumber(os.getenv "PP_SEED") or 1
local WORDS = 4 -- 256 ids

local seed
local function random(n)
  seed = seed * 16807 % 2147483647
  return seed % n + 1
end

local World = painda.schema {
  n = "uint16",
  where = { x = "float32", tags = painda.list "uint8" },
  players = painda.map("string", {
    x = "int16", name = "string", bag = painda.map("string", "uint8"), list = painda.list "int8",
  }),
  shots = painda.map("string", "uint32"),
  all = painda.map("string", "string"),
}
local MAPS = { "players", "shots" }
local buffer = memory.new_buffer()

local function plain(state)
  return World:toTable(state)
end

-- Where the rule is "stays" nothing goes, where it is "closed" nothing comes.
local function change(state, rule)
  local id, shot = "p" .. random(40), "s" .. random(20)
  local player, kind = state.players[id], random(8)
  if player and kind == 2 and rule ~= "stays" then
    state.players[id] = nil
  elseif player and kind == 3 then
    player.bag["k" .. random(3)] = random(255)
    player.list[#player.list + 1] = 1
  elseif player and kind == 4 then
    player.bag.a = nil
    player.name = player.name .. "x"
  elseif player and kind > 4 then
    player.x = random(1000)
  elseif player or rule ~= "closed" then
    state.players[id] = { x = random(100), name = "n" .. random(5), bag = { a = random(9) }, list = { random(9) } }
  end
  if state.shots[shot] or rule ~= "closed" then
    state.shots[shot] = (random(3) > 1 or rule == "stays") and random(100000) or nil
  end
  if random(4) == 1 then
    local key = "k" .. random(9)
    if state.all[key] or rule ~= "closed" then
      state.all[key] = (random(9) > 1 or rule == "stays") and "v" .. random(9) or nil
    end
    state.n = random(65535)
    state.where = { x = random(9), tags = { random(9), random(9) } }
  end
end

-- Of each map the ids of some of its items, as a set; and their names.
local function choose(state)
  local chosen, names = {}, {}
  for i, name in ipairs(MAPS) do
    local set, map = ffi.new("uint64_t[?]", WORDS), state[name]
    names[name] = {}
    local at = map.__pp_at
    for id = 0, at.size - 1 do
      local block = at.items[id]
      if block ~= nil and block.flags < 2 and random(2) == 1 then
        set[math.floor(id / 64)] = bit.bor(set[math.floor(id / 64)], bit.lshift(1ULL, id % 64))
        names[name][ffi.string(block.key.bytes, block.key.len)] = true
      end
    end
    chosen[i] = set
  end
  return chosen, names
end

local function sight_of(root, known, seen)
  local sight = ffi.new "struct pp_state_sight"
  sight.count = #MAPS
  for i, name in ipairs(MAPS) do
    sight.maps[i - 1].field = C.pp_state_map_field(root, name, #name)
    sight.maps[i - 1].words = WORDS
    sight.maps[i - 1].known, sight.maps[i - 1].seen = known[i], seen[i]
  end
  return sight
end

-- What somebody sees of the state who sees these.
local function filtered(state, names)
  local out = plain(state)
  for _, name in ipairs(MAPS) do
    for key in pairs(out[name]) do
      out[name][key] = names[name][key] and out[name][key] or nil
    end
  end
  return out
end

local function new_viewer(state)
  local root = state.__pp_block
  local viewer = { copy = World:new() }
  local seen, names = choose(state)
  C.pp_state_view_snapshot(root, sight_of(root, seen, seen), buffer)
  assert.is_true(World:load(viewer.copy, memory.take(buffer)))
  viewer.known, viewer.version = seen, World:version(state)
  assert.same(filtered(state, names), plain(viewer.copy))
  return viewer
end

local function tell(viewer, state, changed)
  local root = state.__pp_block
  local seen, names = choose(state)
  local sight = sight_of(root, viewer.known, seen)
  local told = C.pp_state_view_delta(root, sight, changed and root or nil, false, buffer) == 1
  local bytes = memory.take(buffer)
  if told then
    local version = World:version(state)
    assert.is_true(declared.apply(viewer.copy, bytes, false, version - viewer.version))
    viewer.version = version
  end
  viewer.known = seen
  assert.same(filtered(state, names), plain(viewer.copy))
  return told
end

-- Somebody who sees some of it, and what both know then.
local function new_past(state)
  local viewer = new_viewer(state)
  return {
    known = viewer.known,
    version = viewer.version,
    seen = World:snapshot(viewer.copy),
    bytes = World:snapshot(state),
    copy = nil,
  }
end

-- Tells somebody who knows the past at once what is seen now. False where there can be none.
local function tell_since(past, state)
  local root, version, reader = state.__pp_block, World:version(state), World:new()
  local seen, names = choose(state)
  local wanted = filtered(state, names)
  World:load(reader, past.seen)
  change(state) -- what nobody was told is in no delta
  past.copy = declared.keep_since(World, state, past.bytes, past.copy)
  local sight = sight_of(root, past.known, seen)
  local fine = C.pp_state_view_delta(root, sight, past.copy.__pp_block, true, buffer) == 1
  if fine then
    assert.is_true(declared.apply(reader, memory.take(buffer), false, version - past.version))
    C.pp_state_view_snapshot(root, sight_of(root, seen, seen), buffer)
    assert.equal(memory.take(buffer), World:snapshot(reader))
    assert.same(wanted, plain(reader))
  end
  World:revert(state)
  return fine
end

describe("a view of a declared state", function()
  it("is the state without what is not seen, from delta to delta", function()
    for schedule = 0, 5 do
      seed = (SEED + schedule) * 7919
      local state = World:new { n = 1 }
      C.pp_state_want_pieces(state.__pp_block, true)
      local viewers = {}
      for tick = 1, 140 do
        for _ = 1, random(6) do
          change(state)
        end
        local changed = World:delta(state, random(2) == 1 and "binary" or "json") ~= nil
        for _, viewer in ipairs(viewers) do
          local fine, wrong = pcall(tell, viewer, state, changed)
          assert(fine, ("PP_SEED=%d: tick %d: %s"):format(SEED + schedule, tick, tostring(wrong)))
        end
        viewers[#viewers + 1] = #viewers < 3 and new_viewer(state) or nil
      end
    end
  end)

  it("changes where the state does not, and is nothing where nothing is different", function()
    seed = SEED
    local state = World:new()
    C.pp_state_want_pieces(state.__pp_block, true)
    for _ = 1, 30 do
      change(state)
    end
    World:delta(state)
    local viewer = new_viewer(state)
    World:delta(state)
    local version = viewer.version
    viewer.version = version - 1 -- the delta is to the version that it has
    viewer.copy.__pp_block.state.version = version - 1
    assert.is_true(tell(viewer, state, false))
    local root = state.__pp_block
    assert.equal(0, C.pp_state_view_delta(root, sight_of(root, viewer.known, viewer.known), nil, false, buffer))
  end)

  it("is told over many deltas at once what became different; or there can be none", function()
    local some, none, hashes = 0, 0, 0
    for schedule = 0, 8 do
      seed = (SEED + schedule) * 7919
      local state, past = World:new { n = 1 }, nil
      for tick = 1, 130 do
        for _ = 1, random(6) do
          change(state, ({ "stays", tick > 20 and "closed" or nil })[schedule % 3 + 1])
        end
        World:delta(state)
        past = (tick % 15 == 1 or not past) and new_past(state) or past
        local fine, told = pcall(tell_since, past, state)
        assert(fine, ("PP_SEED=%d: tick %d: %s"):format(SEED + schedule, tick, tostring(told)))
        some, none = some + (told and 1 or 0), none + (told and 0 or 1)
        hashes = hashes + (told and World:version(state) % 64 == 0 and 1 or 0)
      end
    end
    assert(some > 500 and none > 50 and hashes > 5, ("%d told, %d not, %d hashes"):format(some, none, hashes))
  end)

  it("is of maps of the root alone", function()
    local root = World:new().__pp_block
    for _, name in ipairs { "n", "where", "nobody", "tags", "" } do
      assert.equal(-1, C.pp_state_map_field(root, name, #name), name)
    end
    assert.is_true(C.pp_state_map_field(root, "all", 3) >= 0)
  end)
end)
