/* Allocation that can't fail: where the system has no memory left, the process says so and ends. Release with free().
 */
#ifndef PP_BASE_MEMORY_H
#define PP_BASE_MEMORY_H

#include <stddef.h>

void *pp_malloc(size_t size);
void *pp_calloc(size_t count, size_t size); /* zeroed */
void *pp_realloc(void *old, size_t size);
char *pp_strndup(const char *text, size_t len); /* NUL-terminated copy */

#endif
