/*
 * Tickets of the last servers. Taken out when used: TLS 1.3 wants each to be
 * used once [RFC 8446, section C.4], and one that a server chokes on is gone.
 */
#include "openssl.h"

#include <string.h>

static void forget(struct mqtt_tls_tickets *server)
{
    for (unsigned i = 0; i < MQTT_TLS_TICKETS; i++)
        SSL_SESSION_free(server->sessions[i]);
    memset(server, 0, sizeof *server);
}

static bool is_of(const struct mqtt_tls_tickets *server, const char *name,
                  uint16_t port)
{
    return server->used && server->port == port && !strcmp(server->name, name);
}

void mqtt_tls_sessions_of(struct mqtt_tls_sessions *sessions, const char *name,
                          uint16_t port)
{
    struct mqtt_tls_tickets *chosen = &sessions->servers[0];

    for (unsigned i = 0; i < MQTT_TLS_SERVERS; i++) {
        struct mqtt_tls_tickets *server = &sessions->servers[i];

        if (is_of(server, name, port)) {
            chosen = server;
            break;
        }
        if (server->used < chosen->used)
            chosen = server;
    }
    if (!is_of(chosen, name, port))
        forget(chosen);
    strcpy(chosen->name, name);
    chosen->port = port;
    chosen->used = ++sessions->clock;
    sessions->now = chosen;
}

void mqtt_tls_sessions_put(struct mqtt_tls_sessions *sessions,
                           SSL_SESSION *session)
{
    SSL_SESSION **list = sessions->now->sessions;

    if (!SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(session);
        return;
    }
    SSL_SESSION_free(list[MQTT_TLS_TICKETS - 1]);
    memmove(list + 1, list, (MQTT_TLS_TICKETS - 1) * sizeof *list);
    list[0] = session;
}

/* Nobody looks at the certificate when a session is resumed. */
static bool is_good(const SSL_SESSION *session)
{
    X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

    return SSL_SESSION_is_resumable(session) &&
           (!peer || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0);
}

SSL_SESSION *mqtt_tls_sessions_take(struct mqtt_tls_sessions *sessions)
{
    SSL_SESSION **list = sessions->now->sessions, *session;

    while ((session = list[0]) != NULL) {
        memmove(list, list + 1, (MQTT_TLS_TICKETS - 1) * sizeof *list);
        list[MQTT_TLS_TICKETS - 1] = NULL;
        if (is_good(session))
            return session;
        SSL_SESSION_free(session);
    }
    return NULL;
}

void mqtt_tls_sessions_free(struct mqtt_tls_sessions *sessions)
{
    for (unsigned i = 0; i < MQTT_TLS_SERVERS; i++)
        forget(&sessions->servers[i]);
}
