/*
 * How the server refuses and ends: CONNACK with an error and DISCONNECT, and
 * what they say besides the code.
 */
#include "server.h"

#define MOST 96 /* bytes of properties: CONNACK fits into any client's memory */

static const char *const references[] = {
    "server",
    "server.backup:8883",
    "other.example",
    "other.example:1884",
    "[2001:db8::1]:1883 other.example",
    "",
};

/* Server Reference is for two codes; whoever sends them may leave it out
 * [5.0, sections 3.2.2.3.16 and 3.14.2.2.5]. */
static void put_reference(struct server *server, struct writer *w, uint8_t code)
{
    struct habits *h = &server->habits;
    uint32_t count = sizeof(references) / sizeof(references[0]);

    if (!h->refers || (code != 0x9C && code != 0x9D) || one_in(&h->dice, 4))
        return;
    put_u8(w, SERVER_REFERENCE);
    put_text(w, text_of(references[roll(&h->dice, count)]));
}

/* Which are for these packets whatever Request Problem Information says
 * [5.0 MQTT-3.1.2-29]. */
static void put_reason(struct server *server, struct writer *w)
{
    struct habits *h = &server->habits;

    if (!h->explains)
        return;
    if (one_in(&h->dice, 2)) {
        put_u8(w, REASON_STRING);
        put_text(w, text_of("because"));
    }
    if (one_in(&h->dice, 3)) {
        put_u8(w, USER_PROPERTY);
        put_text(w, text_of("more"));
        put_text(w, text_of(""));
    }
}

/* Those of an end; none if they would be more than the client takes. */
static uint32_t end_properties(struct server *server, const struct link *link,
                               uint8_t code, uint8_t *bytes)
{
    struct writer w = {bytes, bytes};
    uint32_t size;

    put_reference(server, &w, code);
    put_reason(server, &w);
    size = (uint32_t)(w.at - w.begin);
    return size + 8 <= link->packet_maximum ? size : 0;
}

static void tell(struct server *server, const struct link *link, unsigned type,
                 uint8_t code, struct bytes properties)
{
    if (server->tracing)
        server_says(server, link, "%s %02x, %u bytes of properties",
                    type == CONNACK ? "CONNACK" : "DISCONNECT", code,
                    (unsigned)properties.size);
    server->hooks->says_end(server->world, link, type, code, properties);
}

void server_refuse(struct server *server, struct link *link, uint8_t code,
                   bool as_3_1_1)
{
    bool five = link->level == 5 && !as_3_1_1;
    uint8_t properties[MOST];
    uint32_t size = five ? end_properties(server, link, code, properties) : 0;
    struct writer w = {
        server_frame(link, CONNACK << 4, 2 + (five ? 1 + size : 0)), NULL};

    put_u8(&w, 0);
    put_u8(&w, code);
    if (five)
        put_variable(&w, size);
    put_bytes(&w, (struct bytes){properties, size});
    tell(server, link, CONNACK, code, (struct bytes){properties, size});
    server_link_end(server, link);
}

/* Success may be said by leaving the code out [5.0, section 3.14.2.1]. */
void server_say_disconnect(struct server *server, struct link *link,
                           uint8_t code)
{
    uint8_t properties[MOST];
    uint32_t size = end_properties(server, link, code, properties);
    bool with_code = code || size || one_in(&server->habits.dice, 2);
    struct writer w = {
        server_frame(link, DISCONNECT << 4, with_code + (size ? 1 + size : 0)),
        NULL};

    if (with_code)
        put_u8(&w, code);
    if (size)
        put_variable(&w, size);
    put_bytes(&w, (struct bytes){properties, size});
    tell(server, link, DISCONNECT, code, (struct bytes){properties, size});
}

void server_end_by(struct server *server, struct link *link, uint8_t code)
{
    if (link->state == LINK_CONNECTED && link->level == 5)
        server_say_disconnect(server, link, code);
    server_link_end(server, link);
}
