/*
 * AUTH: how a client authenticates, and that it may fail.
 */
#include "server.h"

static void send_auth(struct server *server, struct link *link, uint8_t code)
{
    struct bytes data = text_of("challenge");
    uint32_t size = 3 + link->method.size + 3 + data.size;
    struct writer w = {
        server_frame(link, AUTH << 4, 1 + variable_size(size) + size), NULL};

    put_u8(&w, code);
    put_variable(&w, size);
    put_u8(&w, AUTH_METHOD);
    put_text(&w, link->method);
    put_u8(&w, AUTH_DATA);
    put_text(&w, data);
    if (server->tracing)
        server_says(server, link, "AUTH %02x", code);
    server->hooks->says_auth(server->world, link, code);
}

static void check_auth(struct server *server, struct link *link,
                       const struct packet *packet)
{
    const struct properties *p = &packet->properties;

    if (!link->method.at)
        server_violation(server, link, "AUTH without a method");
    if (!has(p, AUTH_METHOD) ||
        !bytes_equal(p->text[AUTH_METHOD], link->method))
        server_violation(server, link, "AUTH with another method");
    if (packet->code == 0x19 && link->state != LINK_CONNECTED)
        server_violation(server, link, "re-authentication before CONNACK");
    if ((packet->code == 0x19) == link->authenticating)
        server_violation(server, link, "AUTH that was not asked for");
}

/* -- what comes of it ----------------------------------------------------------------- */

/* Of CONNACK, and of DISCONNECT when it was renewed [5.0, section 4.12]. */
static const uint8_t first[] = {0x80, 0x82, 0x83, 0x86, 0x87, 0x89,
                                0x8A, 0x8C, 0x97, 0x9C, 0x9F};
static const uint8_t renewed[] = {0x80, 0x82, 0x83, 0x87, 0x8C, 0x98};

/* The code with which it will fail; 0: it will not. */
static uint8_t draw_denial(struct server *server, const uint8_t *codes,
                           uint32_t count)
{
    struct habits *h = &server->habits;

    if (!h->denies || server->friendly || !one_in(&h->dice, 3))
        return 0;
    return codes[roll(&h->dice, count)];
}

/* CONNACK with an error, or, when there was a good one, DISCONNECT. */
static void deny(struct server *server, struct link *link)
{
    uint8_t code = link->denied;

    link->denied = 0;
    if (link->state == LINK_CONNECTED)
        server_end(server, link, code);
    else
        server_refuse(server, link, code, false);
}

/* Whoever is denied has no part in a session, which is not touched. */
bool server_auth_denied(struct server *server, struct link *link)
{
    if (!link->method.at)
        return false;
    link->denied = draw_denial(server, first, sizeof(first));
    if (!link->denied)
        return false;
    link->rounds = (uint8_t)roll(&server->habits.dice, 4);
    link->state = LINK_AUTHENTICATING;
    link->authenticating = true;
    server_auth(server, link, NULL);
    return true;
}

/* The next step of it; NULL: the first one. */
void server_auth(struct server *server, struct link *link,
                 const struct packet *packet)
{
    if (packet)
        check_auth(server, link, packet);
    if (packet && packet->code == 0x19) {
        link->authenticating = true;
        link->rounds =
            (uint8_t)roll(&server->dice, link->manners.challenges + 1u);
        link->denied = draw_denial(server, renewed, sizeof(renewed));
    }
    if (link->rounds) {
        link->rounds--;
        send_auth(server, link, 0x18);
        return;
    }
    link->authenticating = false;
    if (link->denied) {
        deny(server, link);
        return;
    }
    if (link->state == LINK_CONNECTED) {
        send_auth(server, link, 0);
        return;
    }
    link->state = LINK_GREETED;
    server_later(server, link, CONNACK, 0, 0, NULL, 0);
}
