/* Files that are compiled into the binary, by scripts/embed.cmake. Each array ends with one whose name is NULL. */
#ifndef PP_SCRIPT_EMBEDDED_H
#define PP_SCRIPT_EMBEDDED_H

#include <stddef.h>

struct pp_embedded {
    const char *module; /* "painda.server" */
    const char *file;   /* "painda/server.lua", for chunk names in tracebacks */
    const unsigned char *source;
    size_t len;
};

extern const struct pp_embedded pp_embedded_modules[];   /* lua/ */
extern const struct pp_embedded pp_embedded_templates[]; /* examples/templates: "chat/app.lua" */
extern const struct pp_embedded pp_embedded_types[];     /* lua/painda/types/: "server.lua" */

#endif
