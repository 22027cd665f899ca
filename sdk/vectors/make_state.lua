-- Writes state.json, the golden vectors of declared state: painda run sdk/vectors/make_state.lua > sdk/vectors/state.json
-- What stands there is what every SDK reads and, where it encodes, writes; a change here is a change of the protocol.
local painda = require "painda"

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local cases = {
  {
    name = "plain values",
    schema = { a = "uint8", b = "uint16", c = "uint32", d = "int8", e = "int16", f = "int32", g = "float32",
      h = "float64", i = "varint", j = "bool", k = "string" },
    begin = { a = 1 },
    steps = {
      function(s) s.a, s.b, s.c = 255, 1, 4294967295 end,
      function(s) s.d, s.e, s.f = -1, -300, -2147483648 end,
      function(s) s.g, s.h, s.i = 1.5, 0.1, 2 ^ 53 - 1 end,
      function(s) s.g, s.h, s.i = 1.75, 0.2, 2 ^ 53 - 2 end,
      function(s) s.j, s.k = true, "héllo" end,
      function(s) s.j, s.k, s.a, s.b, s.c = false, "", 0, 65535, 0 end,
    },
  },
  {
    name = "quantized",
    schema = { x = painda.quantized { min = -2048, max = 2048, bits = 16 },
      y = painda.quantized { min = 0, max = 1, bits = 3 },
      z = painda.quantized { min = -180, max = 180, bits = 32 } },
    begin = {},
    steps = {
      function(s) s.x, s.y, s.z = 100.25, 0.5, -179.9 end,
      function(s) s.x = 100.5 end,
      function(s) s.x, s.y, s.z = -2048, 1, 180 end,
    },
  },
  {
    name = "records in records",
    schema = { pos = { x = "int16", y = "int16", deep = { on = "bool" } }, z = "uint8" },
    begin = { pos = { x = 5 } },
    steps = {
      function(s) s.pos.deep.on = true end,
      function(s) s.pos = { x = 5, y = -5 } end,
    },
  },
  {
    name = "maps",
    schema = { players = painda.map("string", { x = "float32", y = "float32", hp = "uint8", name = "string" }),
      scores = painda.map("string", "uint32", { max = 100 }) },
    begin = { players = { p1 = { x = 1, y = 2, hp = 100, name = "Ann" } } },
    steps = {
      function(s) s.players.p2 = { x = 10, name = "Bob" } end,
      function(s) s.players.p1.x, s.players.p1.y, s.players.p2.x, s.players.p2.y = 1.25, 2.5, 10.5, 0.5 end,
      function(s) s.players.p3 = {} end,
      function(s) s.players.p1 = nil end,
      function(s) s.players.p4 = { hp = 1 } end,
      function(s) s.players.p4 = nil s.players.p4 = { hp = 2 } s.scores.a = 70000 end,
      function(s) s.scores["ключ"] = 1 s.players.p2 = nil s.players.p3 = nil s.players.p4 = nil end,
    },
  },
  {
    name = "lists",
    schema = { row = painda.list("uint16"), items = painda.list { what = "string", count = "uint8" },
      grid = painda.map("string", painda.list("bool")) },
    begin = { row = { 1, 2, 3 } },
    steps = {
      function(s) s.row[4] = 400 end,
      function(s) s.row[2] = 20 end,
      function(s) s.items = { { what = "sword", count = 1 }, { what = "arrow", count = 20 } } end,
      function(s) s.items[2].count = 19 s.row[4] = nil end,
      function(s) s.grid.a = { true, false, true } end,
      function(s) s.grid.a[2] = true s.grid.a[3] = nil end,
      function(s) s.row, s.items, s.grid = {}, {}, {} end,
    },
  },
  {
    name = "lists that change in the middle",
    schema = { row = painda.list("uint16"), items = painda.list { what = "string", count = "uint8" },
      deep = painda.list(painda.list("bool")) },
    begin = { row = { 1, 2, 3, 4, 5, 6, 7, 8 }, items = { { what = "sword" }, { what = "arrow", count = 20 } } },
    steps = {
      function(s) s.row:insert(1, 300) end,
      function(s) s.row:remove(1) end,
      function(s) s.row:remove(2) s.row:remove(6) s.row:insert(4, 1) s.row:insert(4, 2) s.row[1] = 9 end,
      function(s) s.items:insert(2, { what = "bow", count = 1 }) s.items[3].count = 19 end,
      function(s) s.items:remove(1) s.items:insert({ what = "sword" }) end,
      function(s) s.deep:insert({ true }) s.deep:insert(1, { false, true }) s.deep[2]:insert(1, true) end,
      function(s) s.deep[1]:remove(1) s.deep:remove(2) s.deep:insert(1, {}) end,
      function(s) s.row:insert(1, 7) s.row:remove(1) s.row[2] = 8 end,
    },
  },
}

-- A hundred players of whom every tenth moves: the distances between ids, and repeated masks.
local function crowd()
  local case = {
    name = "a crowd",
    schema = { players = painda.map("string", { x = painda.quantized { min = -2048, max = 2048, bits = 16 },
      y = painda.quantized { min = -2048, max = 2048, bits = 16 }, hp = "uint8" }) },
    begin = {},
    steps = {},
  }
  case.steps[1] = function(s)
    for i = 1, 100 do
      s.players["p" .. i] = { x = i * 10, y = -i * 10, hp = i }
    end
  end
  case.steps[2] = function(s)
    for i = 1, 100, 10 do
      s.players["p" .. i].x = i * 10 + 4
      s.players["p" .. i].y = -i * 10 - 4
    end
  end
  for step = 3, 65 do -- the 64th delta carries the hash
    case.steps[step] = function(s) s.players.p50.hp = step end
  end
  return case
end
cases[#cases + 1] = crowd()

local function line(schema, state, version, delta, patch, whole)
  local members = {}
  local function put(name, text)
    members[#members + 1] = ('"%s":%s'):format(name, text)
  end
  if delta then
    put("version", version)
    put("delta", '"' .. hex(delta) .. '"')
    put("json", patch)
  end
  if whole then
    put("state", schema:json(state))
    put("snapshot", '"' .. hex(schema:snapshot(state)) .. '"')
  end
  put("hash", schema:hash(state))
  return "{" .. table.concat(members, ",") .. "}"
end

local out = {}
for i, case in ipairs(cases) do
  local schema = painda.schema(case.schema)
  local state = schema:new(case.begin)
  local lines = { line(schema, state, 0, nil, nil, true) }
  for n, change in ipairs(case.steps) do
    change(state)
    local delta, patch = schema:delta(state, "both")
    lines[n + 1] = line(schema, state, schema:version(state), delta, patch, #case.steps < 10 or n == #case.steps)
  end
  out[i] = ('{"name":"%s","schema":"%s","begin":%s,"steps":[\n  %s\n]}')
    :format(case.name, hex(schema.bytes), lines[1], table.concat(lines, ",\n  ", 2))
end
print("[\n" .. table.concat(out, ",\n") .. "\n]")
os.exit(0)
