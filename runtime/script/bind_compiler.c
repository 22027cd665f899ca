/* painda.core.compiler: compiling beside the loop, on a thread of its own.
 *
 *     start(text, name, fn) → true, or nothing where there is no thread for it
 *
 * fn(code) runs as a task: `code` is what string.dump makes of the chunk, with all that errors and debug.getinfo tell.
 * Where the text does not compile it is fn(nil, message), with the message of loadstring(text, name); where that can't
 * be told here, as where memory runs out, fn(). Text is compiled, and nothing else: of bytecode the message says so. */
#include "base/buf.h"
#include "base/memory.h"
#include "net/work.h"
#include "script/bind.h"
#include "script/call.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define JOB "painda.compilation"

/* Of a job that runs, only its thread touches what is below `work`. */
struct job {
    struct pp_vm *vm;
    int self, fn; /* references: while it runs it is not the collector's */
    struct pp_work *work;
    char *name;
    struct pp_buf text;
    struct pp_buf result; /* the code, or the message */
    enum { UNKNOWN, COMPILED, FAILED } outcome;
};

static int append(lua_State *L, const void *bytes, size_t len, void *arg)
{
    (void)L;
    pp_buf_append(arg, bytes, len);
    return 0;
}

/* On the job's thread, in a state that knows nothing but the text. */
static void compile(void *arg)
{
    struct job *job = arg;
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return;
    int failed = luaL_loadbufferx(L, job->text.data, job->text.len, job->name, "t");
    if (failed == 0) {
        job->outcome = lua_dump(L, append, &job->result) == 0 ? COMPILED : UNKNOWN;
    } else if (failed == LUA_ERRSYNTAX) {
        size_t len;
        const char *message = lua_tolstring(L, -1, &len);
        pp_buf_append(&job->result, message, len);
        job->outcome = FAILED;
    }
    lua_close(L);
}

static void forget(struct job *job)
{
    lua_State *L = pp_vm_lua(job->vm);
    job->work = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, job->fn);
    luaL_unref(L, LUA_REGISTRYINDEX, job->self);
    job->fn = job->self = LUA_NOREF;
    free(job->name);
    job->name = NULL;
    pp_buf_destroy(&job->text);
    pp_buf_destroy(&job->result);
}

static void tell(void *arg)
{
    struct job *job = arg;
    struct pp_vm *vm = job->vm;
    int values = (int)job->outcome;
    lua_State *task = pp_call_begin(vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, job->fn);
    if (job->outcome == FAILED)
        lua_pushnil(task);
    if (job->outcome != UNKNOWN)
        lua_pushlstring(task, job->result.data, job->result.len);
    forget(job); /* from here on the collector may take it */
    pp_call_run(vm, task, values, "task");
}

/* The state goes while it runs. */
static int end(lua_State *L)
{
    struct job *job = luaL_checkudata(L, 1, JOB);
    if (job->work != NULL)
        pp_work_end(job->work);
    forget(job);
    return 0;
}

static int start(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len), *name = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    struct job *job = lua_newuserdata(L, sizeof *job);
    *job = (struct job){.vm = pp_vm_of(L), .self = LUA_NOREF, .fn = LUA_NOREF};
    luaL_getmetatable(L, JOB);
    lua_setmetatable(L, -2);
    job->name = pp_strndup(name, strlen(name));
    pp_buf_append(&job->text, text, len);
    job->work = pp_work_start(pp_vm_loop(job->vm), compile, tell, job);
    if (job->work == NULL)
        return 0;
    job->self = luaL_ref(L, LUA_REGISTRYINDEX);
    job->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, true);
    return 1;
}

int pp_bind_compiler(lua_State *L)
{
    static const luaL_Reg functions[] = {{"start", start}, {NULL, NULL}};
    luaL_newmetatable(L, JOB);
    lua_pushcfunction(L, end);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
