/* The small parent of a worker: it starts another where one has crashed or hangs, holds the listening sockets
 * meanwhile, passes signals on, and speaks to the service manager. It runs no code of the application, no Lua, no event
 * loop.
 *
 * A worker that ends by itself, with whatever exit code, has ended the program; so has one that crashes before its
 * application was ever loaded. */
#ifndef PP_SUPERVISOR_SUPERVISOR_H
#define PP_SUPERVISOR_SUPERVISOR_H

/* Runs this program as a worker, with these arguments, for as long as it is to run. Returns the exit code. */
int pp_supervise(char **argv);

#endif
