/* The one libwebsockets context of a loop, and the list of its protocols. Shared by the files of net/ only. */
#ifndef PP_NET_LWS_H
#define PP_NET_LWS_H

#define PP_LWS_HEADER_DATA (8 * 1024) /* bytes of all headers of a request, and of its path and query, together */

struct lws_context;
struct pp_loop;

/* The loop's context, made on first use; NULL where libwebsockets could not make one (the reason is logged). */
struct lws_context *pp_lws_context(struct pp_loop *loop);

/* Ends every connection and virtual host that libwebsockets still holds. */
void pp_lws_close(struct pp_loop *loop);

#endif
