/*
 * Packets of a client, byte by byte.
 */
#include <string.h>
#include "server_packet.h"

/* What is left of a packet; `why`: what was wrong first. */
struct cursor {
    const uint8_t *at, *end;
    const char *why;
};

static void bad(struct cursor *c, const char *why)
{
    if (!c->why)
        c->why = why;
    c->at = c->end;
}

static uint32_t left(const struct cursor *c)
{
    return (uint32_t)(c->end - c->at);
}

static struct bytes take(struct cursor *c, uint32_t size)
{
    struct bytes bytes = {c->at, size};

    if (left(c) < size) {
        bad(c, "a field reaches beyond its packet");
        return (struct bytes){c->at, 0};
    }
    c->at += size;
    return bytes;
}

static uint8_t take_u8(struct cursor *c)
{
    struct bytes bytes = take(c, 1);

    return bytes.size ? bytes.at[0] : 0;
}

static uint16_t take_u16(struct cursor *c)
{
    struct bytes bytes = take(c, 2);

    return bytes.size ? (uint16_t)(bytes.at[0] << 8 | bytes.at[1]) : 0;
}

static uint32_t take_u32(struct cursor *c)
{
    uint32_t high = take_u16(c);

    return high << 16 | take_u16(c);
}

/* Variable Byte Integer, in its shortest form [5.0 MQTT-1.5.5-1]. */
static uint32_t take_variable(struct cursor *c)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t byte = take_u8(c);

        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte & 0x80)
            continue;
        if (shift && !byte)
            bad(c, "a variable byte integer is longer than needed");
        return value;
    }
    bad(c, "a variable byte integer of more than four bytes");
    return 0;
}

static struct bytes take_binary(struct cursor *c)
{
    return take(c, take_u16(c));
}

static struct bytes take_text(struct cursor *c)
{
    struct bytes text = take_binary(c);

    if (!text_good(text))
        bad(c, "text is not UTF-8");
    return text;
}

/* -- properties ------------------------------------------------------------- */

enum { NONE, BYTE, TWO, FOUR, VARIABLE, TEXT, PAIR, BINARY };

/* Where: bits by packet type; the will has a bit of its own. */
#define IN(type) (1u << (type))
#define IN_WILL IN(0)
#define IN_ACK (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP))

/* Those that a client may send, and where. */
static const struct {
    uint8_t type;
    uint16_t places;
} rules[PROPERTY_COUNT] = {
    [PAYLOAD_FORMAT] = {BYTE, IN(PUBLISH) | IN_WILL},
    [MESSAGE_EXPIRY] = {FOUR, IN(PUBLISH) | IN_WILL},
    [CONTENT_TYPE] = {TEXT, IN(PUBLISH) | IN_WILL},
    [RESPONSE_TOPIC] = {TEXT, IN(PUBLISH) | IN_WILL},
    [CORRELATION_DATA] = {BINARY, IN(PUBLISH) | IN_WILL},
    [SUBSCRIPTION_IDENTIFIER] = {VARIABLE, IN(SUBSCRIBE)},
    [SESSION_EXPIRY] = {FOUR, IN(CONNECT) | IN(DISCONNECT)},
    [AUTH_METHOD] = {TEXT, IN(CONNECT) | IN(AUTH)},
    [AUTH_DATA] = {BINARY, IN(CONNECT) | IN(AUTH)},
    [REQUEST_PROBLEM] = {BYTE, IN(CONNECT)},
    [WILL_DELAY] = {FOUR, IN_WILL},
    [REQUEST_RESPONSE] = {BYTE, IN(CONNECT)},
    [REASON_STRING] = {TEXT, IN_ACK | IN(DISCONNECT) | IN(AUTH)},
    [RECEIVE_MAXIMUM] = {TWO, IN(CONNECT)},
    [TOPIC_ALIAS_MAXIMUM] = {TWO, IN(CONNECT)},
    [TOPIC_ALIAS] = {TWO, IN(PUBLISH)},
    [USER_PROPERTY] = {PAIR, IN(CONNECT) | IN(PUBLISH) | IN_WILL | IN_ACK |
                                 IN(SUBSCRIBE) | IN(UNSUBSCRIBE) |
                                 IN(DISCONNECT) | IN(AUTH)},
    [MAXIMUM_PACKET] = {FOUR, IN(CONNECT)},
};

static void take_value(struct cursor *c, struct properties *p, unsigned id)
{
    switch (rules[id].type) {
    case BYTE:
        p->number[id] = take_u8(c);
        break;
    case TWO:
        p->number[id] = take_u16(c);
        break;
    case FOUR:
        p->number[id] = take_u32(c);
        break;
    case VARIABLE:
        p->number[id] = take_variable(c);
        break;
    case PAIR:
        take_text(c);
        p->text[id] = take_text(c);
        break;
    case BINARY:
        p->text[id] = take_binary(c);
        break;
    default:
        p->text[id] = take_text(c);
    }
}

/* Values that the standard excludes. */
static void check_value(struct cursor *c, const struct properties *p,
                        unsigned id)
{
    switch (id) {
    case PAYLOAD_FORMAT:
    case REQUEST_PROBLEM:
    case REQUEST_RESPONSE:
        if (p->number[id] > 1)
            bad(c, "a property that is 0 or 1 is neither");
        break;
    case RECEIVE_MAXIMUM:
    case MAXIMUM_PACKET:
    case TOPIC_ALIAS:
    case SUBSCRIPTION_IDENTIFIER:
        if (!p->number[id])
            bad(c, "a property is 0 that may not be");
        break;
    case RESPONSE_TOPIC:
        if (!topic_name_good(p->text[id]))
            bad(c, "Response Topic is no topic name");
        break;
    }
}

static void take_properties(struct cursor *c, struct properties *p,
                            unsigned place)
{
    const uint8_t *end = c->end;
    uint32_t length = take_variable(c);

    p->seen = 0;
    p->all = take(c, length);
    if (c->why || !length)
        return;
    c->at = p->all.at;
    c->end = p->all.at + length;
    while (left(c)) {
        uint8_t id = take_u8(c);

        if (id >= PROPERTY_COUNT || !(rules[id].places & IN(place)))
            bad(c, "a property that may not stand there");
        else if (has(p, id) && id != USER_PROPERTY)
            bad(c, "a property stands there twice");
        if (c->why)
            return;
        take_value(c, p, id);
        check_value(c, p, id);
        p->seen |= UINT64_C(1) << id;
    }
    c->end = end;
}

/* -- packets ---------------------------------------------------------------- */

static uint16_t take_identifier(struct cursor *c)
{
    uint16_t identifier = take_u16(c);

    if (!identifier)
        bad(c, "packet identifier 0");
    return identifier;
}

static void check_connect(struct cursor *c, const struct packet *p)
{
    unsigned will_qos = p->flags >> 3 & 3;

    if (p->flags & 1)
        bad(c, "reserved flag of CONNECT");
    if (will_qos == 3)
        bad(c, "Will QoS 3");
    if (!(p->flags & HAS_WILL) && (will_qos || p->flags & WILL_RETAIN))
        bad(c, "flags of a will that is not there");
    if (p->level == 4 && (p->flags & 0xC0) == 0x40)
        bad(c, "password without user name");
    if (p->level == 4 && !p->client_identifier.size &&
        !(p->flags & CLEAN_START))
        bad(c, "no client identifier and no clean session");
    if (has(&p->properties, AUTH_DATA) && !has(&p->properties, AUTH_METHOD))
        bad(c, "Authentication Data without a method");
}

static void decode_will(struct cursor *c, struct packet *p)
{
    p->will.seen = 0;
    if (p->level == 5)
        take_properties(c, &p->will, 0);
    p->topic = take_text(c);
    p->payload = take_binary(c);
    if (!topic_name_good(p->topic))
        bad(c, "the will's topic name");
    if (p->level == 5 && number_of(&p->will, PAYLOAD_FORMAT, 0) &&
        !text_good(p->payload))
        bad(c, "the will's payload is not UTF-8");
}

static void decode_connect(struct cursor *c, struct packet *p)
{
    struct bytes name = take_text(c);

    if (name.size != 4 || memcmp(name.at, "MQTT", 4) != 0)
        bad(c, "protocol name");
    p->level = take_u8(c);
    p->flags = take_u8(c);
    p->keep_alive = take_u16(c);
    p->properties.seen = 0;
    if (p->level == 5)
        take_properties(c, &p->properties, CONNECT);
    else if (p->level != 4)
        bad(c, "protocol level");
    p->client_identifier = take_text(c);
    if (p->flags & HAS_WILL)
        decode_will(c, p);
    p->user_name = p->password = (struct bytes){NULL, 0};
    if (p->flags & 0x80)
        p->user_name = take_text(c);
    if (p->flags & 0x40)
        p->password = take_binary(c);
    check_connect(c, p);
}

static void decode_publish(struct cursor *c, struct packet *p, unsigned level)
{
    p->qos = p->first >> 1 & 3;
    if (p->qos == 3)
        bad(c, "QoS 3");
    if (!p->qos && p->first & 8)
        bad(c, "DUP with QoS 0");
    p->topic = take_text(c);
    p->identifier = p->qos ? take_identifier(c) : 0;
    p->properties.seen = 0;
    p->properties.all = (struct bytes){c->at, 0};
    if (level == 5)
        take_properties(c, &p->properties, PUBLISH);
    if (p->topic.size || level != 5 || !has(&p->properties, TOPIC_ALIAS))
        if (!topic_name_good(p->topic))
            bad(c, "topic name");
    p->payload = take(c, left(c));
}

/* Reason codes that a client may send, by packet type. */
static bool code_good(unsigned type, uint8_t code)
{
    static const uint8_t acks[] = {0x00, 0x10, 0x80, 0x83, 0x87,
                                   0x90, 0x91, 0x97, 0x99, 0};
    static const uint8_t ends[] = {0x00, 0x04, 0x80, 0x81, 0x82,
                                   0x83, 0x90, 0x93, 0x94, 0x95,
                                   0x96, 0x97, 0x98, 0x99, 0};
    const uint8_t *codes = type == DISCONNECT ? ends : acks;

    if (type == AUTH)
        return code == 0x18 || code == 0x19;
    if (type == PUBREL || type == PUBCOMP)
        return code == 0x00 || code == 0x92;
    if (!code)
        return true;
    for (codes++; *codes; codes++)
        if (*codes == code)
            return true;
    return false;
}

static void decode_reason(struct cursor *c, struct packet *p)
{
    p->code = left(c) ? take_u8(c) : 0;
    p->properties.seen = 0;
    if (left(c))
        take_properties(c, &p->properties, p->type);
    if (!code_good(p->type, p->code))
        bad(c, "a reason code that may not stand there");
}

static void decode_ack(struct cursor *c, struct packet *p, unsigned level)
{
    p->identifier = take_identifier(c);
    p->code = 0;
    p->properties.seen = 0;
    if (level == 5)
        decode_reason(c, p);
}

static void check_options(struct cursor *c, unsigned level, uint8_t options)
{
    if ((options & 3) == 3)
        bad(c, "QoS 3 asked for");
    if (options & (level == 5 ? 0xC0 : 0xFC))
        bad(c, "reserved bits of subscription options");
    if ((options & 0x30) == 0x30)
        bad(c, "Retain Handling 3");
}

static void check_filter(struct cursor *c, unsigned level, struct bytes filter,
                         uint8_t options)
{
    struct bytes group, inner;

    if (!topic_filter_good(filter))
        bad(c, "topic filter");
    if (level != 5 || !topic_shared(filter, &group, &inner))
        return;
    if (!group.size || topic_has_wildcard(group) || !topic_filter_good(inner))
        bad(c, "shared topic filter");
    if (options & 4)
        bad(c, "No Local with a shared subscription");
}

static void decode_request(struct cursor *c, struct packet *p, unsigned level)
{
    p->identifier = take_identifier(c);
    p->properties.seen = 0;
    if (level == 5)
        take_properties(c, &p->properties, p->type);
    p->filters = (struct bytes){c->at, left(c)};
    if (!left(c))
        bad(c, "no topic filter");
    while (left(c)) {
        struct bytes filter = take_text(c);
        uint8_t options = p->type == SUBSCRIBE ? take_u8(c) : 0;

        check_options(c, level, options);
        check_filter(c, level, filter, options);
    }
}

bool next_filter(const struct packet *packet, struct bytes *rest,
                 struct bytes *filter, uint8_t *options)
{
    struct cursor c;

    if (!rest->at)
        *rest = packet->filters;
    if (!rest->size)
        return false;
    c = (struct cursor){rest->at, rest->at + rest->size, NULL};
    *filter = take_binary(&c);
    *options = packet->type == SUBSCRIBE ? take_u8(&c) : 0;
    *rest = (struct bytes){c.at, left(&c)};
    return true;
}

static void decode_end(struct cursor *c, struct packet *p, unsigned level)
{
    p->code = 0;
    p->properties.seen = 0;
    if (level == 5)
        decode_reason(c, p);
}

static void decode_body(struct cursor *c, struct packet *p, unsigned level)
{
    switch (p->type) {
    case CONNECT:
        decode_connect(c, p);
        break;
    case PUBLISH:
        decode_publish(c, p, level);
        break;
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
        decode_ack(c, p, level);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        decode_request(c, p, level);
        break;
    case PINGREQ:
        break;
    case DISCONNECT:
        decode_end(c, p, level);
        break;
    case AUTH:
        if (level != 5)
            bad(c, "AUTH in 3.1.1");
        decode_end(c, p, level);
        break;
    default:
        bad(c, "no packet that a client sends");
    }
}

uint32_t packet_measure(const uint8_t *bytes, uint32_t size, uint32_t *header)
{
    uint32_t length = 0;

    for (uint32_t i = 1; i < size && i < 5; i++) {
        length |= (uint32_t)(bytes[i] & 0x7F) << (7 * (i - 1));
        if (bytes[i] < 0x80) {
            *header = i + 1;
            return i + 1 + length;
        }
    }
    return size < 5 ? 0 : UINT32_MAX;
}

const char *packet_decode(struct packet *packet, unsigned level,
                          const uint8_t *bytes, uint32_t size)
{
    static const uint8_t flags[16] = {
        [PUBREL] = 2, [SUBSCRIBE] = 2, [UNSUBSCRIBE] = 2};
    uint32_t header = 0;
    struct cursor c;

    packet_measure(bytes, size, &header);
    packet->first = bytes[0];
    packet->type = bytes[0] >> 4;
    packet->size = size;
    packet->identifier = 0;
    packet->qos = packet->code = 0;
    if (header > 2 && !bytes[header - 1])
        return "a remaining length that is longer than needed";
    if (packet->type != PUBLISH && (bytes[0] & 0x0F) != flags[packet->type])
        return "flags of the fixed header";
    c = (struct cursor){bytes + header, bytes + size, NULL};
    decode_body(&c, packet, level);
    if (!c.why && left(&c))
        return "bytes after the last field";
    return c.why;
}
