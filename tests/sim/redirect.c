/*
 * Which server a client goes to: those of its list in turn, or where its
 * application sends it, which may follow a Server Reference.
 */
#include <string.h>
#include "world.h"

/* -- the application ----------------------------------------------------------------- */

/* The first one of those that are named. */
static void note_reference(struct player *p, struct mqtt_span text)
{
    const char *bytes = text.data;
    size_t size = 0;

    while (size < text.size && bytes[size] != ' ')
        size++;
    if (size >= sizeof(p->reference))
        size = sizeof(p->reference) - 1;
    memcpy(p->reference, bytes, size);
    p->reference[size] = '\0';
}

/* 0x9C is for once, 0x9D for good [5.0, section 4.13]. */
void redirect_told(struct player *p, const struct mqtt_event *event)
{
    struct mqtt_property property = {0};

    if (event->reason_code != MQTT_REASON_USE_ANOTHER_SERVER &&
        event->reason_code != MQTT_REASON_SERVER_MOVED)
        return;
    if (!mqtt_property_find(event->properties, MQTT_PROPERTY_SERVER_REFERENCE,
                            &property) ||
        !property.text.size)
        return;
    note_reference(p, property.text);
    p->follows = event->reason_code == MQTT_REASON_SERVER_MOVED ? 2 : 1;
    say(p, "  is sent to \"%s\"%s", p->reference,
        p->follows == 2 ? " for good" : "");
}

void redirect_choose(struct player *p, struct mqtt_server *server)
{
    if (!p->follows)
        return;
    server->address = p->reference;
    server->port = 0;
    if (p->follows == 1)
        p->follows = 0;
}

/* -- the check ------------------------------------------------------------------------- */

static bool same_server(const struct mqtt_server *a,
                        const struct mqtt_server *b)
{
    return a->port == b->port && a->address && b->address &&
           !strcmp(a->address, b->address);
}

/* When the application was asked before the connection it has had its word. */
void redirect_offered(struct player *p, const struct mqtt_server *server)
{
    const struct mqtt_server *expected = &p->servers[p->server_next];

    if (p->server_unsure && !same_server(server, expected))
        p->server_next =
            (p->server_next + 1) % (uint32_t)p->config.server_count;
    p->server_unsure = false;
    expected = &p->servers[p->server_next];
    if (!same_server(server, expected))
        violation(p, "server \"%s\" is offered, it is the turn of \"%s\"",
                  server->address, expected->address);
}

void redirect_opening(struct player *p, const struct mqtt_server *server)
{
    if (p->config.before_connect) {
        if (!same_server(server, &p->chosen_server))
            violation(p, "a connection to \"%s\", \"%s\" was chosen",
                      server->address, p->chosen_server.address);
        return;
    }
    redirect_offered(p, server);
}

/* After a failure the next one is tried, in turn; but one that is to forget a
 * session is asked again, and the fallback is tried at the same one. */
void redirect_disconnected(struct player *p, const struct mqtt_event *event)
{
    if (!event->error || p->connected ||
        event->error == MQTT_ERR_SESSION_PRESENT)
        return;
    if (!p->drew && event->retry_at != MQTT_NEVER)
        return;     /* the fallback */
    if (p->leaving) /* and that stays so until one is offered */
        p->server_unsure = true;
    else
        p->server_next =
            (p->server_next + 1) % (uint32_t)p->config.server_count;
}

/* -- a fault --------------------------------------------------------------------------- */

void redirect_fault(struct player *p, struct dice *dice)
{
    uint8_t code = one_in(dice, 2) ? 0x9C : 0x9D;
    struct link *link = p->wire.link;

    if (link && link->state == LINK_CONNECTED) {
        server_end_by(&p->world->server, link, code);
        return;
    }
    p->world->server.refuse_next = 1;
    p->world->server.refuse_code = code;
}
