/*
 * Packets of the server, and when they leave.
 */
#include <string.h>
#include "server.h"

void put_u8(struct writer *w, unsigned value)
{
    *w->at++ = (uint8_t)value;
}

void put_u16(struct writer *w, unsigned value)
{
    put_u8(w, value >> 8);
    put_u8(w, value);
}

void put_u32(struct writer *w, uint32_t value)
{
    put_u16(w, value >> 16);
    put_u16(w, value & 0xFFFF);
}

void put_variable(struct writer *w, uint32_t value)
{
    do {
        put_u8(w, (value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
    } while (value);
}

uint32_t variable_size(uint32_t value)
{
    return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

void put_bytes(struct writer *w, struct bytes bytes)
{
    if (bytes.size)
        memcpy(w->at, bytes.at, bytes.size);
    w->at += bytes.size;
}

void put_text(struct writer *w, struct bytes text)
{
    put_u16(w, text.size);
    put_bytes(w, text);
}

/* A fixed header, and room for what it counts. */
uint8_t *server_frame(struct link *link, unsigned first, uint32_t length)
{
    uint32_t size = 1 + variable_size(length) + length;
    struct writer w = {row_extend(&link->out, size), NULL};

    link->out_total += size;
    put_u8(&w, first);
    put_variable(&w, length);
    return w.at;
}

/* Reason String and User Property, if there is room for them. */
static uint32_t chatter(struct server *server, const struct link *link,
                        uint8_t *bytes)
{
    struct writer w = {bytes, bytes};

    if (!link->manners.talkative || link->no_problems ||
        link->packet_maximum < 40)
        return 0;
    if (one_in(&server->dice, 3)) {
        put_u8(&w, REASON_STRING);
        put_text(&w, text_of("so"));
    }
    for (uint32_t n = roll(&server->dice, 3); n; n--) {
        put_u8(&w, USER_PROPERTY);
        put_text(&w, text_of("k"));
        put_text(&w, text_of("v"));
    }
    return (uint32_t)(w.at - w.begin);
}

/* As long as may be, or as short. */
static void send_ack_5(struct server *server, struct link *link, unsigned first,
                       uint16_t identifier, uint8_t code)
{
    uint8_t properties[32];
    uint32_t size = chatter(server, link, properties);
    bool with_code = code || size || one_in(&server->dice, 4);
    bool with_length = size || (with_code && one_in(&server->dice, 2));
    uint32_t length = 2u + with_code + with_length + size;
    struct writer w = {server_frame(link, first, length), NULL};

    put_u16(&w, identifier);
    if (with_code)
        put_u8(&w, code);
    if (with_length)
        put_variable(&w, size);
    put_bytes(&w, (struct bytes){properties, size});
}

void server_send_ack(struct server *server, struct link *link, unsigned type,
                     uint16_t identifier, uint8_t code)
{
    unsigned first = type << 4 | (type == PUBREL ? 2 : 0);
    struct writer w;

    if (server->tracing)
        server_says(server, link, "ack %u id %u code %02x", type, identifier,
                    code);
    if (link->level == 5) {
        send_ack_5(server, link, first, identifier, code);
        return;
    }
    w.at = server_frame(link, first, 2);
    put_u16(&w, identifier);
}

static void send_codes(struct server *server, struct link *link,
                       const struct answer *answer)
{
    uint8_t properties[32];
    uint32_t size = 0, length = 2;
    bool codes = link->level == 5 || answer->type == SUBACK;
    struct writer w;

    if (link->level == 5) {
        size = chatter(server, link, properties);
        if (size + answer->count + 8 > link->packet_maximum)
            size = 0;
        length += 1 + size;
    }
    length += codes ? answer->count : 0;
    w.at = server_frame(link, (unsigned)answer->type << 4, length);
    put_u16(&w, answer->identifier);
    if (link->level == 5) {
        put_variable(&w, size);
        put_bytes(&w, (struct bytes){properties, size});
    }
    if (codes)
        put_bytes(&w, (struct bytes){answer->codes, answer->count});
    if (server->tracing)
        server_says(server, link, "answer %u id %u first %02x", answer->type,
                    answer->identifier, answer->count ? answer->codes[0] : 0);
}

/* -- when they leave ----------------------------------------------------------- */

static void remember_recorded(struct server *server, struct link *link,
                              uint16_t identifier)
{
    struct session *s = link->session;

    for (uint32_t i = 0; i < s->received_count; i++)
        if (s->received[i].identifier == identifier)
            s->received[i].recorded = true;
    if (link->recorded_end == link->recorded_room) {
        uint32_t room = link->recorded_room * 2 + 16;
        uint16_t *more = store_take(server->store, room * sizeof(*more));

        if (link->recorded_end)
            memcpy(more, link->recorded, link->recorded_end * sizeof(*more));
        link->recorded = more;
        link->recorded_room = room;
    }
    link->recorded[link->recorded_end++] = identifier;
}

/* What its leaving means: the client may send one more. */
static void account(struct server *server, struct link *link,
                    const struct answer *answer)
{
    bool ends = answer->type == PUBACK || answer->type == PUBCOMP ||
                (answer->type == PUBREC && answer->code & 0x80);

    if (ends || answer->type == SUBACK || answer->type == UNSUBACK)
        if (server_unuse(link, answer->identifier) == PUBLISH)
            link->receive_open--;
    if (answer->type == PUBREC && !(answer->code & 0x80))
        remember_recorded(server, link, answer->identifier);
}

static void send_now(struct server *server, struct link *link,
                     const struct answer *answer)
{
    if (link->state != LINK_CONNECTED && answer->type != CONNACK)
        return;
    account(server, link, answer);
    server->hooks->answered(server->world, link, answer);
    switch (answer->type) {
    case CONNACK:
        server_connack(server, link);
        break;
    case SUBACK:
    case UNSUBACK:
        send_codes(server, link, answer);
        break;
    case PINGRESP:
        server_frame(link, PINGRESP << 4, 0);
        if (server->tracing)
            server_says(server, link, "PINGRESP");
        break;
    default:
        server_send_ack(server, link, answer->type, answer->identifier,
                        answer->code);
    }
}

void server_later(struct server *server, struct link *link, unsigned type,
                  uint16_t identifier, uint8_t code, const uint8_t *codes,
                  uint16_t count)
{
    struct answer answer = {server->now,   identifier, count,
                            (uint8_t)type, code,       codes};
    const struct manners *m = &link->manners;

    if (m->delay_ms)
        answer.due += roll(&server->dice, m->delay_ms + 1);
    if (!m->reorder && link->answer_count &&
        answer.due < link->answers[link->answer_count - 1].due)
        answer.due = link->answers[link->answer_count - 1].due;
    if (answer.due == server->now && (m->reorder || !link->answer_count)) {
        send_now(server, link, &answer);
        return;
    }
    if (link->answer_count == link->answer_room) {
        uint32_t room = link->answer_room * 2 + 16;
        struct answer *more = store_take(server->store, room * sizeof(*more));

        if (link->answer_count)
            memcpy(more, link->answers, link->answer_count * sizeof(*more));
        link->answers = more;
        link->answer_room = room;
    }
    link->answers[link->answer_count++] = answer;
}

void server_send_due(struct server *server, struct link *link)
{
    uint32_t i = 0;

    while (i < link->answer_count) {
        struct answer answer = link->answers[i];

        if (answer.due > server->now) {
            i++;
            continue;
        }
        link->answer_count--;
        memmove(link->answers + i, link->answers + i + 1,
                (link->answer_count - i) * sizeof(answer));
        send_now(server, link, &answer);
    }
}
