/*
 * relay.h - a network between client and broker that can be cut: a thread
 * that accepts on a loopback port and passes on what comes, both ways.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdint.h>

struct relay;

/* Accept on relay_port() and pass on to `port`. */
struct relay *relay_begin(uint16_t port);
void relay_end(struct relay *relay);
uint16_t relay_port(const struct relay *relay);

/* Cut what is connected now, by a reset. */
void relay_cut(struct relay *relay);
/* Cut each connection after so many bytes, both ways taken together, in the
 * middle of whatever packet that is; 0: not any more. */
void relay_cut_each_after(struct relay *relay, unsigned bytes);
/* How many connections have been cut so far. */
unsigned relay_cuts(const struct relay *relay);

#endif
