#include "script/bind.h"
int pp_bind_client(lua_State *L){lua_newtable(L);return 1;}
