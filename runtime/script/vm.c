/* Making the Lua state: libraries, embedded modules, C bindings, and its collector. */
#include "script/vm.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/loop.h"
#include "script/bind.h"
#include "script/bind_timer.h"
#include "script/call.h"
#include "script/embedded.h"
#include "script/lua_atoms.h"
#include "script/lua_json.h"
#include "script/vm_internal.h"
#include "script/watchdog.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#define GC_STEP_KB 8         /* of marking or sweeping in one idle step: some tens of microseconds */
#define GC_GROWTH_PERCENT 50 /* a cycle is begun in idle time once the heap has grown by this */
#define GC_LEAST_KB 256

static const char vm_key;

struct pp_vm *pp_vm_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&vm_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct pp_vm *vm = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return vm;
}

lua_State *pp_vm_lua(struct pp_vm *vm)
{
    return vm->L;
}

struct pp_loop *pp_vm_loop(struct pp_vm *vm)
{
    return vm->loop;
}

int pp_vm_exit_code(const struct pp_vm *vm)
{
    return vm->exit_code;
}

/* [-1, +1] The loader of an embedded module: its index is the upvalue. */
static int load_embedded(lua_State *L)
{
    const struct pp_embedded *module = &pp_embedded_modules[lua_tointeger(L, lua_upvalueindex(1))];
    lua_pushfstring(L, "@%s", module->file);
    if (luaL_loadbuffer(L, (const char *)module->source, module->len, lua_tostring(L, -1)) != 0)
        return lua_error(L);
    lua_pushstring(L, module->module);
    lua_call(L, 1, 1);
    return 1;
}

static void preload_all(lua_State *L)
{
    static const luaL_Reg bindings[] = {
        {"painda.core.runtime", pp_bind_runtime},
        {"painda.core.json", pp_bind_json},
        {"painda.core.schema", pp_bind_schema},
        {"painda.core.server", pp_bind_server},
        {"painda.core.http", pp_bind_http},
        {"painda.core.client", pp_bind_client},
        {"painda.core.compiler", pp_bind_compiler},
        {"painda.core.clock", pp_bind_clock},
        {"painda.core.delta", pp_bind_delta},
        {"painda.core.state", pp_bind_state},
        {"painda.core.control", pp_bind_control},
        {"painda.core.files", pp_bind_files},
        {"painda.core.terminal", pp_bind_terminal},
        {"painda.core.last_words", pp_bind_last_words},
        {"painda.core.supervisor", pp_bind_supervisor},
        {NULL, NULL},
    };
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload"); /* stack now: package, preload */
    for (const luaL_Reg *binding = bindings; binding->name != NULL; binding++) {
        lua_pushcfunction(L, binding->func);
        lua_setfield(L, -2, binding->name);
    }
    for (int i = 0; pp_embedded_modules[i].module != NULL; i++) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, load_embedded, 1);
        lua_setfield(L, -2, pp_embedded_modules[i].module);
    }
    lua_pop(L, 2);
}

static int panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    pp_log(PP_LOG_ERROR, "Lua failed outside of any handler: %s", text ? text : "(no message)");
    abort();
}

/* One small step of the collector while nothing waits. The automatic collector stays on behind it, for handlers that
 * never leave the loop idle. */
static bool gc_step(void *arg)
{
    struct pp_vm *vm = arg;
    size_t used = (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0);
    if (!vm->gc_running && vm->gc_cycles == 0 &&
        used < vm->gc_base + vm->gc_base * GC_GROWTH_PERCENT / 100 + GC_LEAST_KB)
        return false;
    uint64_t start = pp_clock_ns();
    vm->gc_running = lua_gc(vm->L, LUA_GCSTEP, GC_STEP_KB) == 0;
    uint64_t pause = pp_clock_ns() - start;
    if (pause > vm->gc_longest_pause)
        vm->gc_longest_pause = pause;
    vm->gc_steps++;
    if (!vm->gc_running) {
        vm->gc_base = (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0);
        vm->gc_cycles -= vm->gc_cycles > 0;
    }
    return vm->gc_running || vm->gc_cycles > 0;
}

struct pp_vm *pp_vm_new(struct pp_loop *loop)
{
    struct pp_vm *vm = pp_calloc(1, sizeof *vm);
    vm->loop = loop;
    vm->on_error = LUA_NOREF;
    vm->L = luaL_newstate();
    if (vm->L == NULL) {
        pp_log(PP_LOG_ERROR, "LuaJIT did not start: out of memory");
        abort();
    }
    lua_State *L = vm->L;
    lua_atpanic(L, panic);
    lua_pushlightuserdata(L, (void *)&vm_key);
    lua_pushlightuserdata(L, vm);
    lua_rawset(L, LUA_REGISTRYINDEX);
    luaL_openlibs(L);
    pp_lua_json_init(L);
    preload_all(L);
    pp_loop_set_idle(loop, gc_step, vm);
    return vm;
}

void pp_vm_delete(struct pp_vm *vm)
{
    pp_loop_set_idle(vm->loop, NULL, NULL);
    pp_unbind_signal(vm);
    pp_watchdog_stop();
    lua_close(vm->L);
    pp_loop_forget_task(vm->loop, &vm->resume); /* what was woken last is not resumed any more */
    pp_lua_atoms_clear();
    pp_call_forget_handlers(vm);
    pp_map_destroy(&vm->retired);
    pp_map_destroy(&vm->dropped);
    free(vm->woken);
    free(vm);
}
