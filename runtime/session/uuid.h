/* Random identifiers: UUID version 4 (RFC 9562). */
#ifndef PP_SESSION_UUID_H
#define PP_SESSION_UUID_H

#define PP_UUID_SIZE 37 /* 36 characters and a NUL */

/* From the system's random source; ends the process where that can't be had. */
void pp_uuid(char out[PP_UUID_SIZE]);

#endif
