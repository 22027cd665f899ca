-- The memory of declared states as the FFI sees it: what runtime/state/ declares, once more.
--
-- C types are never collected and there are 65,536 in a process, so all blocks are of one type, whose values are read
-- by arrays of each kind, and only views have types of their own, which is where metatables are.

local ffi = require "ffi"
require "painda.core.state" -- has the functions linked

local ipairs = ipairs

ffi.cdef [[
struct pp_state_buf { char *data; size_t len, cap; };
struct pp_state_text { uint32_t refs, len; char bytes[1]; };
struct pp_state { void *root; uint32_t version; };
struct pp_state_group;
struct pp_state_block {
  uint32_t refs, id;
  uint16_t flags, touched;
  uint32_t before;
  uint64_t mask;
  struct pp_state_group *owner;
  struct pp_state_text *key;
  void *record;
  struct pp_state *state;
  union {
    uint8_t uint8[1];
    uint16_t uint16[1];
    uint32_t uint32[1];
    int8_t int8[1];
    int16_t int16[1];
    int32_t int32[1];
    float float32[1];
    double float64[1];
    struct pp_state_text *text[1];
  };
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
int pp_state_splice_one(struct pp_state_group *list, uint32_t place, uint32_t removed, uint32_t inserted);
void pp_state_revert(void *root);
void pp_state_begin(void *root);
void pp_state_set_label(void *root, const char *label);
const char *pp_state_label(const void *block);
void pp_state_path(const void *block, struct pp_state_buf *out);
int pp_state_encode(void *root, struct pp_state_buf *out, struct pp_state_buf *json);
int pp_state_since(void *copy, void *root, struct pp_state_buf *out, struct pp_state_buf *json);
uint32_t pp_state_room(const void *block);
void pp_state_keep(void *root);
void pp_state_unkeep(void *root);
void pp_state_keep_since(void *copy, void *root);
void pp_state_snapshot(void *root, struct pp_state_buf *out);
uint32_t pp_state_hash(void *root);
int pp_state_apply(void *root, const char *bytes, size_t len, uint32_t steps, struct pp_state_buf *json);
int pp_state_load(void *root, const char *bytes, size_t len);
void pp_state_json(void *root, int now, struct pp_state_buf *out);
]]

local C = ffi.C

local _M = {}

-- A C type of its own each time: busted has ffi.typeof answer the same text with the same type, whatever the rest is.
function _M.new_type(text)
  return ffi.typeof(("%s /* %d */"):format(text, C.pp_state_serial()))
end

local ARRAYS = {
  bool = { "uint8", 1 }, uint8 = { "uint8", 1 }, uint16 = { "uint16", 2 }, uint32 = { "uint32", 4 },
  int8 = { "int8", 1 }, int16 = { "int16", 2 }, int32 = { "int32", 4 }, float32 = { "float32", 4 },
  float64 = { "float64", 8 }, varint = { "float64", 8 }, quantized = { "float64", 8 }, string = { "text", 8 },
}

-- A record's fields in the order of their numbers, with those of nested records in place: { type =, n =,
-- offset =, place = such as float32[3] }.
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

-- The record's fields. `number` is the record's in the schema: in the order in which their types begin in its bytes.
function _M.lay_out(schema, number, t)
  local fields = flatten(t, {})
  for _, field in ipairs(fields) do
    local array = ARRAYS[field.type.kind]
    field.offset = C.pp_state_offset(schema, number, field.n)
    field.place = array and ("%s[%d]"):format(array[1], field.offset / array[2])
  end
  return fields
end

local KEPT = 2 ^ 20

function _M.new_buffer()
  return ffi.gc(ffi.new "struct pp_state_buf", C.pp_buf_destroy)
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

-- Whose state the block is in; nil where nobody has said so.
function _M.label(block)
  local label = C.pp_state_label(block)
  return label ~= nil and ffi.string(label) or nil
end

local path = _M.new_buffer()

-- Where the block stands in its state.
function _M.path(block)
  C.pp_state_path(block, path)
  return _M.take(path)
end

return _M
