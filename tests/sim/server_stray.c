/*
 * What no server that keeps the standard does: acknowledge what nobody sent,
 * and send more than the client can take.
 */
#include <string.h>
#include "server.h"

/* PUBREC and PUBREL are answered all the same [MQTT-4.3.3-11, 4.3.3-4]; PUBACK
 * and PUBCOMP, and PUBREC with an error, are the last packets of theirs. */
static unsigned answer_to(unsigned type, uint8_t code)
{
    switch (type) {
    case PUBREC:
        return code & 0x80 ? 0 : PUBREL;
    case PUBREL:
        return PUBCOMP;
    default:
        return 0;
    }
}

void server_stray(struct server *server, struct link *link, unsigned type,
                  uint16_t identifier, uint8_t code, bool plain)
{
    unsigned answer = answer_to(type, code);

    if (link->state != LINK_CONNECTED || link->stray_count == STRAYS)
        return;
    for (uint32_t i = 0; i < link->stray_count; i++)
        if (link->strays[i].identifier == identifier)
            return;
    if (answer)
        link->strays[link->stray_count++] =
            (struct stray){identifier, (uint8_t)answer, plain};
    server_send_ack(server, link, type, identifier, code);
}

/* In the order of the packets that they answer, and in 5.0 with the code that
 * says why [5.0, tables 3-6 and 3-7]. A client that has a store answers PUBREL
 * without asking whether it is known, and after its commit. */
bool server_stray_answered(struct server *server, struct link *link,
                           const struct packet *packet)
{
    uint32_t i = 0;
    bool late;

    while (i < link->stray_count &&
           (link->strays[i].identifier != packet->identifier ||
            link->strays[i].answer != packet->type))
        i++;
    if (i == link->stray_count)
        return false;
    late = link->strays[i].plain && packet->type == PUBCOMP;
    if (i && !late && !link->strays[0].plain)
        server_violation(server, link, "an unknown packet was not answered");
    if (link->level == 5 && packet->code != 0x92 && !late)
        server_violation(server, link, "an unknown identifier, and no 0x92");
    link->stray_count--;
    memmove(link->strays + i, link->strays + i + 1,
            (link->stray_count - i) * sizeof(link->strays[0]));
    if (packet->type == PUBREL) /* which is answered, too */
        server_later(server, link, PUBCOMP, packet->identifier,
                     link->level == 5 ? 0x92 : 0, NULL, 0);
    return true;
}

void server_disown(struct session *session)
{
    for (struct delivery *d = session->open.first; d; d = d->next)
        d->disowned = true;
}

void server_overrun(struct server *server, struct link *link, uint32_t more)
{
    if (link->state != LINK_CONNECTED || link->level != 5)
        return;
    link->overrun = more;
    server_pump(server, link);
    server_disown(link->session);
}
