/* painda.core.state: an empty module. What lua/painda/declared/ calls by FFI is named here, so that the linker takes it
 * into the program. */
#include "script/bind.h"
#include "state/delta.h"

__attribute__((used)) static void (*const called_by_ffi[])(void) = {
    (void (*)(void))pp_state_schema_new, (void (*)(void))pp_state_schema_unref, (void (*)(void))pp_state_offset,
    (void (*)(void))pp_state_new,        (void (*)(void))pp_state_scan,         (void (*)(void))pp_state_set_text,
    (void (*)(void))pp_state_find,       (void (*)(void))pp_state_path,         (void (*)(void))pp_state_encode,
    (void (*)(void))pp_state_apply,
};

int pp_bind_state(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
