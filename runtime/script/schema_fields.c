/* Field lists as users write them: a type is a name ("uint8"), a list of fields (a record inside a record), or a table
 * {type = …, of = …}; a field is the same with a name. */
#include "script/schema_fields.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

struct parser {
    lua_State *L;
    char *error;
    size_t error_size;
};

static struct pp_record *parse_fields(struct parser *p, unsigned depth);
static struct pp_type *parse_type(struct parser *p, unsigned depth);

/* [-0, +1] The member of the table at `index` (negative), metamethods aside. */
static void push_member(lua_State *L, int index, const char *key)
{
    lua_pushstring(L, key);
    lua_rawget(L, index - 1);
}

/* The reason so far, with where it was found put in front, as long as there is room for both. */
static void locate(struct parser *p, const char *where)
{
    char reason[256];
    if (strlen(where) + strlen(p->error) + 3 > sizeof(reason))
        return;
    snprintf(reason, sizeof(reason), "%s", p->error);
    snprintf(p->error, p->error_size, "%s: %s", where, reason);
}

bool pp_lua_known_keys(lua_State *L, int index, const char *const *known, char *error, size_t error_size)
{
    lua_pushvalue(L, index);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const char *const *at = known;
        while (key && *at && strcmp(*at, key) != 0)
            at++;
        if (key == NULL || *at == NULL) {
            size_t used = (size_t)snprintf(error, error_size, "unknown key \"%s\", known are", key ? key : "[…]");
            for (at = known; *at && used < error_size; at++)
                used += (size_t)snprintf(error + used, error_size - used, "%s %s", at == known ? "" : ",", *at);
            lua_pop(L, 3);
            return false;
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return true;
}

static struct pp_type *parse_name(struct parser *p)
{
    size_t len;
    const char *name = lua_tolstring(p->L, -1, &len);
    int code = pp_type_by_name(name, len);
    const char *nearest = code < 0 ? pp_type_nearest(name, len) : NULL;
    if (code == PP_ARRAY)
        snprintf(p->error, p->error_size, "an array needs a type for its elements: {type = \"array\", of = \"uint8\"}");
    else if (code >= 0)
        return pp_type_scalar((enum pp_type_code)code);
    else if (nearest)
        snprintf(p->error, p->error_size, "unknown type \"%.32s\", did you mean \"%s\"?", name, nearest);
    else
        snprintf(p->error, p->error_size,
                 "unknown type \"%.32s\"; the types are uint8 uint16 uint32 int8 int16 int32 float32 float64 bool "
                 "varint string bytes array",
                 name);
    return NULL;
}

/* Of a table with a `type`: a field, or what stands in `of`. */
static struct pp_type *parse_typed(struct parser *p, unsigned depth)
{
    lua_State *L = p->L;
    push_member(L, -1, "type");
    push_member(L, -2, "of"); /* stack: table, type, of */
    struct pp_type *type = NULL;
    bool array = lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "array") == 0;
    if (lua_isnil(L, -2)) {
        snprintf(p->error, p->error_size, "its type is missing");
    } else if (array && !lua_isnil(L, -1)) {
        struct pp_type *of = parse_type(p, depth + 1);
        if (of)
            type = pp_type_array(of);
        else
            locate(p, "of");
    } else if (!lua_isnil(L, -1)) {
        snprintf(p->error, p->error_size, "only an array has elements (of)");
    } else {
        lua_pop(L, 1);
        type = parse_type(p, depth + 1);
        lua_pushnil(L);
    }
    lua_pop(L, 2);
    return type;
}

static void too_deep(struct parser *p)
{
    snprintf(p->error, p->error_size, "the types are nested deeper than %d", PP_TYPE_DEPTH);
}

/* The type that is on top of the stack. A table that contains itself ends at the bound on depth. */
static struct pp_type *parse_type(struct parser *p, unsigned depth)
{
    static const char *const known[] = {"type", "of", NULL};
    lua_State *L = p->L;
    if (depth > 2 * PP_TYPE_DEPTH + 2) { /* a level takes two steps where it is written {type = {…}} */
        too_deep(p);
        return NULL;
    }
    if (lua_type(L, -1) == LUA_TSTRING)
        return parse_name(p);
    if (lua_type(L, -1) != LUA_TTABLE) {
        snprintf(p->error, p->error_size, "expected the name of a type or a list of fields, got %s",
                 luaL_typename(L, -1));
        return NULL;
    }
    if (lua_objlen(L, -1) > 0) {
        struct pp_record *record = parse_fields(p, depth);
        return record ? pp_type_record(record) : NULL;
    }
    if (!pp_lua_known_keys(L, -1, known, p->error, p->error_size))
        return NULL;
    return parse_typed(p, depth);
}

/* Adds the field on top of the stack. */
static bool parse_field(struct parser *p, struct pp_record *record, unsigned depth)
{
    static const char *const known[] = {"name", "type", "of", NULL};
    lua_State *L = p->L;
    if (lua_type(L, -1) != LUA_TTABLE) {
        snprintf(p->error, p->error_size, "expected {name = \"x\", type = \"float32\"}, got %s", luaL_typename(L, -1));
        return false;
    }
    push_member(L, -1, "name");
    size_t len = 0;
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    lua_pop(L, 1); /* the table keeps it */
    if (len == 0) {
        snprintf(p->error, p->error_size, "its name is missing");
        return false;
    }
    struct pp_type *type = NULL;
    if (pp_lua_known_keys(L, -1, known, p->error, p->error_size))
        type = parse_typed(p, depth);
    bool deep = type && type->depth >= PP_TYPE_DEPTH;
    if (type && pp_record_add(record, name, len, type))
        return true;
    if (type && deep)
        too_deep(p);
    else if (type)
        snprintf(p->error, p->error_size, "its name stands for an earlier field, or there are more than %d fields",
                 PP_RECORD_FIELDS);
    return false;
}

/* The reason, with the number and the name of the field on top of the stack put in front. */
static void locate_field(struct parser *p, size_t number)
{
    char where[64];
    int len = snprintf(where, sizeof(where), "field %zu", number);
    if (lua_istable(p->L, -1)) {
        push_member(p->L, -1, "name");
        if (lua_type(p->L, -1) == LUA_TSTRING)
            snprintf(where + len, sizeof(where) - (size_t)len, " (\"%.32s\")", lua_tostring(p->L, -1));
        lua_pop(p->L, 1);
    }
    locate(p, where);
}

/* The list of fields that is on top of the stack. */
static struct pp_record *parse_fields(struct parser *p, unsigned depth)
{
    lua_State *L = p->L;
    size_t count = lua_type(L, -1) == LUA_TTABLE ? lua_objlen(L, -1) : 0;
    if (count == 0 || !lua_checkstack(L, 16)) {
        snprintf(p->error, p->error_size,
                 "expected a list of fields like { {name = \"x\", type = \"float32\"} }, got %s",
                 lua_type(L, -1) == LUA_TTABLE ? "an empty table" : luaL_typename(L, -1));
        return NULL;
    }
    struct pp_record *record = pp_record_new();
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        bool added = parse_field(p, record, depth);
        if (!added)
            locate_field(p, i);
        lua_pop(L, 1);
        if (!added) {
            pp_record_delete(record);
            return NULL;
        }
    }
    return record;
}

static void intern(lua_State *L, struct pp_record *record);

static void intern_type(lua_State *L, struct pp_type *type)
{
    while (type->of)
        type = type->of;
    if (type->record)
        intern(L, type->record);
}

static void intern(lua_State *L, struct pp_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        struct pp_field *field = &record->fields[i];
        lua_pushlstring(L, field->name, field->name_len);
        field->tag = luaL_ref(L, LUA_REGISTRYINDEX);
        intern_type(L, field->type);
    }
}

void pp_lua_fields_forget(lua_State *L, struct pp_record *record)
{
    for (size_t i = 0; record && i < record->count; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, record->fields[i].tag);
        record->fields[i].tag = LUA_NOREF;
        struct pp_type *type = record->fields[i].type;
        while (type->of)
            type = type->of;
        pp_lua_fields_forget(L, type->record);
    }
}

struct pp_record *pp_lua_fields_compile(lua_State *L, int index, char *error, size_t error_size)
{
    struct parser p = {L, error, error_size};
    lua_pushvalue(L, index);
    struct pp_record *record = parse_fields(&p, 1);
    lua_pop(L, 1);
    if (record)
        intern(L, record);
    return record;
}
