/*
 * there_and_back.h - messages of all sizes go to a broker and come back, by
 * whatever way a URL and a proxy say.
 */
#ifndef THERE_AND_BACK_H
#define THERE_AND_BACK_H

#include "caller.h"
#include "counterparts.h"

/* What clients are made with from now on. */
extern const struct mqtt_layer_kind *tls;

/* A client of mqtt_client_new() for "wss://localhost" on this port, to be
 * changed before caller_calls(). `proxy` may be NULL. */
void caller_draft(struct caller *caller, const char *scheme_and_host,
                  uint16_t port, const struct mqtt_proxy *proxy);
/* Connected already. */
void there_and_back(struct caller *caller);
/* From the first byte to the last, in one version or in both. */
void works(const char *scheme_and_host, uint16_t port,
           const struct mqtt_proxy *proxy,
           const struct mqtt_protocol *protocol);
void works_in_both(const char *scheme_and_host, uint16_t port,
                   const struct mqtt_proxy *proxy);

/* Skip the test where it is not installed. */
void need(const struct counterpart *counterpart, const char *name);
struct mqtt_proxy by(enum mqtt_proxy_protocol protocol,
                     const struct counterpart *counterpart,
                     const char *user_name, const char *password);

#endif
