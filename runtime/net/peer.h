/* Who is at the other end of a socket. */
#ifndef PP_NET_PEER_H
#define PP_NET_PEER_H

struct pp_peer {
    char address[64]; /* "192.0.2.1" (also for a mapped IPv6 address), "2001:db8::1", "unix", or "unknown" */
    int port;         /* 0 where there is none */
};

struct sockaddr;

void pp_peer_of(int fd, struct pp_peer *peer);
void pp_peer_from(const struct sockaddr *address, struct pp_peer *peer);

#endif
