-- Laws of declared state, held against random schemas and random changes: what comes out of deltas and snapshots is
-- what went in, in bytes and in JSON. PP_SEED=n begins elsewhere, PP_SCHEDULES=n tries more; a failure names its seed.
local painda = require "painda"

local SEED = tonumber(os.getenv "PP_SEED") or 1
local SCHEDULES = tonumber(os.getenv "PP_SCHEDULES") or 120
local TICKS = 12

local state_of_random
local function random(n) -- from 1 to n
  state_of_random = state_of_random * 16807 % 2147483647
  return state_of_random % n + 1
end

local RANGES = {
  uint8 = { 0, 255 }, uint16 = { 0, 65535 }, uint32 = { 0, 4294967295 }, int8 = { -128, 127 },
  int16 = { -32768, 32767 }, int32 = { -2147483648, 2147483647 }, varint = { 0, 2 ^ 53 - 1 },
}
local PLAIN = {
  "uint8", "uint16", "uint32", "int8", "int16", "int32", "varint", "float32", "float64", "bool", "string",
}
local TEXTS = { "", "a", "Ann", "name with \"quotes\"", "Ünï\u{1F600}", ("long"):rep(20) }

-- A random type: { declared = what the schema is given, value = function making a random value }.
local random_type

local function plain_type()
  local name = PLAIN[random(#PLAIN)]
  local range = RANGES[name]
  if random(8) == 1 then
    local bits, min = random(32), random(2000) - 1000
    local max = min + random(5000)
    return { declared = painda.quantized { min = min, max = max, bits = bits }, value = function()
      return min + (max - min) * (random(10001) - 1) / 10000
    end }
  end
  return { declared = name, value = function()
    if name == "bool" then
      return random(2) == 1
    elseif name == "string" then
      return TEXTS[random(#TEXTS)]
    elseif not range then
      return (random(2000001) - 1000001) / 2 ^ (random(20) - 1)
    elseif random(3) == 1 then
      return range[random(2)]
    end
    return range[1] + math.floor((range[2] - range[1]) * (random(1000) - 1) / 1000)
  end }
end

local function record_type(depth)
  local members, declared = {}, {}
  for i = 1, random(5) do
    local inner = random_type(depth + 1)
    members[#members + 1] = { name = "f" .. i, type = inner }
    declared["f" .. i] = inner.declared
  end
  return { declared = declared, members = members, value = function()
    local value = {}
    for _, member in ipairs(members) do
      if random(3) > 1 then
        value[member.name] = member.type.value()
      end
    end
    return value
  end }
end

local function map_type(depth)
  local of = random_type(depth + 1)
  return { declared = painda.map("string", of.declared, { max = 12 }), keyed = of, value = function()
    local value = {}
    for _ = 1, random(4) - 1 do
      value["k" .. random(12)] = of.value()
    end
    return value
  end }
end

local function list_type(depth)
  local of = random_type(depth + 1)
  return { declared = painda.list(of.declared, { max = 12 }), indexed = of, value = function()
    local value = {}
    for i = 1, random(4) - 1 do
      value[i] = of.value()
    end
    return value
  end }
end

function random_type(depth)
  local choice = depth > 3 and 10 or random(10)
  return choice == 1 and record_type(depth) or choice <= 3 and map_type(depth) or choice == 4 and list_type(depth)
    or plain_type()
end

-- Changes something in a state: `hold[name]` is of the type.
local function change(hold, name, t)
  local inside = random(4) > 1 and hold[name]
  if inside and t.members then
    local member = t.members[random(#t.members)]
    return change(inside, member.name, member.type)
  elseif inside and t.keyed then
    local key = "k" .. random(12)
    if inside[key] == nil then
      inside[key] = t.keyed.value()
    elseif random(4) == 1 then
      inside[key] = nil
    else
      change(inside, key, t.keyed)
    end
  elseif inside and t.indexed then
    local count = #inside
    local choice = random(6)
    if choice == 1 and count < 12 then
      inside[count + 1] = t.indexed.value()
    elseif choice == 2 and count > 0 then
      inside[count] = nil
    elseif choice == 3 and count < 12 then
      inside:insert(random(count + 1), t.indexed.value())
    elseif choice == 4 and count > 0 then
      inside:remove(random(count))
    elseif count > 0 then
      change(inside, random(count), t.indexed)
    end
  else
    hold[name] = t.value()
  end
end

local function change_some(state, root)
  for _ = 1, random(6) - 1 do
    local member = root.members[random(#root.members)]
    change(state, member.name, member.type)
  end
end

local decode = painda.json.decode

local function tick(schema, root, state, copy, late)
  local before = schema:json(state)
  if random(5) == 1 then -- what is taken back leaves no trace
    change_some(state, root)
    schema:revert(state)
    assert.equal(before, schema:json(state))
    assert.is_nil(schema:delta(state))
  end
  change_some(state, root)
  local delta, json = schema:delta(state, "both")
  if not delta then
    assert.equal(before, schema:json(state))
    return
  end
  local after = schema:json(state)
  assert.same(decode(after), painda.gaming.patch(decode(before), decode(json)))
  for cut = 1, math.min(random(3), #delta) do -- a damaged delta changes nothing
    local hash = schema:hash(copy)
    assert.is_nil(schema:apply(copy, delta:sub(1, #delta - cut)))
    assert.equal(hash, schema:hash(copy))
  end
  assert.is_true(schema:apply(copy, delta))
  assert.equal(after, schema:json(copy))
  assert.equal(schema:hash(state), schema:hash(copy))
  assert.is_true(schema:load(late, schema:snapshot(state)))
  assert.equal(after, schema:json(late))
  assert.equal(schema:snapshot(state), schema:snapshot(late))
end

local function run(seed)
  state_of_random = seed % 2147483646 + 1
  local root = record_type(0)
  local schema = painda.schema(root.declared)
  local reader = assert(painda.decodeSchema(schema.bytes))
  local state = schema:new(root.value())
  local copy, late = schema:new(), schema:new()
  assert.is_true(schema:load(copy, schema:snapshot(state)))
  for _ = 1, TICKS do
    tick(schema, root, state, copy, late)
  end
  local far = reader:new()
  assert.is_true(reader:load(far, schema:snapshot(state)))
  assert.equal(schema:json(copy), reader:json(far))
end

describe("declared state", function()
  it("is the same where its deltas and snapshots arrive", function()
    for seed = SEED, SEED + SCHEDULES - 1 do
      local fine, problem = xpcall(function() run(seed) end, function(err)
        return type(err) == "table" and tostring(err.message or err) or debug.traceback(tostring(err), 2)
      end)
      assert(fine, ("PP_SEED=%d: %s"):format(seed, tostring(problem)))
    end
  end)
end)
