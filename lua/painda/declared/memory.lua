-- The memory of declared states as the FFI sees it: what runtime/state/ declares, once more, and a C type for each
-- record of a schema.

local ffi = require "ffi"
require "painda.core.state" -- has the functions linked

local ipairs, assert, concat, sort = ipairs, assert, table.concat, table.sort

ffi.cdef [[
struct pp_state_buf { char *data; size_t len, cap; };
struct pp_state_text { uint32_t refs, len; char bytes[?]; };
struct pp_state { void *root; uint32_t version; };
struct pp_state_group;
struct pp_state_block {
  uint32_t refs, id, flags, touched;
  uint64_t mask;
  struct pp_state_group *owner;
  struct pp_state_text *key;
  void *record;
  struct pp_state *state;
};
struct pp_state_group {
  struct pp_state_block **items;
  uint32_t count, size;
};
void pp_buf_destroy(struct pp_state_buf *buf);
void *pp_state_schema_new(const char *bytes, size_t len, char *error, size_t error_size);
void pp_state_schema_unref(void *schema);
uint32_t pp_state_serial(void);
uint32_t pp_state_offset(const void *schema, uint32_t record, uint32_t field);
int pp_state_name_is_good(const char *name, size_t len);
int pp_state_text_is_good(const char *text, size_t len);
struct pp_state_block *pp_state_new(void *schema);
void pp_state_unref(void *block);
void *pp_state_group_of(void *block, uint32_t place);
void pp_state_touch(void *block);
int pp_state_set_text(void *block, uint32_t offset, const char *bytes, size_t len);
struct pp_state_block *pp_state_find(const struct pp_state_group *group, const char *key, size_t len);
struct pp_state_block *pp_state_add(struct pp_state_group *group, const char *key, size_t len);
void pp_state_remove(struct pp_state_block *block);
int pp_state_resize(struct pp_state_group *group, uint32_t count);
void pp_state_revert(void *root);
void pp_state_begin(void *root);
void pp_state_path(const void *block, struct pp_state_buf *out);
int pp_state_encode(void *root, struct pp_state_buf *out, struct pp_state_buf *json);
void pp_state_snapshot(void *root, struct pp_state_buf *out);
uint32_t pp_state_hash(void *root);
int pp_state_apply(void *root, const char *bytes, size_t len);
int pp_state_load(void *root, const char *bytes, size_t len);
void pp_state_json(void *root, int now, struct pp_state_buf *out);
]]

local C = ffi.C

local _M = {}

-- A C type of its own each time: busted has ffi.typeof answer the same text with the same type, whatever the rest is.
function _M.new_type(text, ...)
  return ffi.typeof(("%s /* %d */"):format(text, C.pp_state_serial()), ...)
end

local C_TYPES = {
  bool = "uint8_t", uint8 = "uint8_t", uint16 = "uint16_t", uint32 = "uint32_t", int8 = "int8_t", int16 = "int16_t",
  int32 = "int32_t", float32 = "float", float64 = "double", varint = "double", quantized = "double",
  string = "struct pp_state_text *",
}

-- A record's fields in the order of their numbers, with those of nested records in place: { kind =, type =, n =,
-- offset = }.
local function flatten(t, out)
  if t.kind == "record" then
    for _, member in ipairs(t.members) do
      flatten(member.type, out)
    end
  else
    out[#out + 1] = { type = t, n = #out }
  end
  return out
end

local HEADER = ffi.sizeof "struct pp_state_block"

-- A pointer type to the record's blocks, whose values are members named __pp_0, __pp_1 and so on.
local function pointer_type(fields)
  local values = {}
  for _, field in ipairs(fields) do
    if C_TYPES[field.type.kind] then
      values[#values + 1] = field
    end
  end
  sort(values, function(a, b) return a.offset < b.offset end)
  local code = { "struct { uint32_t refs, id, flags, touched; uint64_t mask; struct pp_state_group *owner; "
    .. "struct pp_state_text *key; void *record; struct pp_state *state;" }
  for _, field in ipairs(values) do
    code[#code + 1] = ("%s __pp_%d;"):format(C_TYPES[field.type.kind], field.n)
  end
  code[#code + 1] = "}"
  local struct = _M.new_type(concat(code, " "))
  for _, field in ipairs(values) do
    assert(ffi.offsetof(struct, "__pp_" .. field.n) == HEADER + field.offset)
  end
  return _M.new_type("$ *", struct)
end

-- The record's fields and its pointer type. `number` is the record's in the schema: in the order in which their types
-- begin in its bytes.
function _M.lay_out(schema, number, t)
  local fields = flatten(t, {})
  for _, field in ipairs(fields) do
    field.offset = C.pp_state_offset(schema, number, field.n)
  end
  return fields, pointer_type(fields)
end

local KEPT = 2 ^ 20

function _M.new_buffer()
  return ffi.new "struct pp_state_buf"
end

-- What has been appended to the buffer, as a string. The buffer is empty afterwards.
function _M.take(buffer)
  local text = ffi.string(buffer.data, buffer.len)
  buffer.len = 0
  if buffer.cap > KEPT then
    C.pp_buf_destroy(buffer)
  end
  return text
end

local path = _M.new_buffer()

-- Where the block stands in its state.
function _M.path(block)
  C.pp_state_path(block, path)
  return _M.take(path)
end

return _M
