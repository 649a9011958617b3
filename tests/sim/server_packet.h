/*
 * server_packet.h - what a client sends, decoded as the standard has it, with
 * everything checked that can be told from one packet. The model server shares
 * nothing with the library: these are its own words.
 */
#ifndef SIM_SERVER_PACKET_H
#define SIM_SERVER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

struct bytes {
    const uint8_t *at; /* NULL: absent */
    uint32_t size;
};

bool bytes_equal(struct bytes a, struct bytes b);

/* Control packet types [2.2.1]. */
enum {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    PINGREQ,
    PINGRESP,
    DISCONNECT,
    AUTH
};

/* Properties [5.0, 2.2.2.2]. */
enum {
    PAYLOAD_FORMAT = 0x01,
    MESSAGE_EXPIRY = 0x02,
    CONTENT_TYPE = 0x03,
    RESPONSE_TOPIC = 0x08,
    CORRELATION_DATA = 0x09,
    SUBSCRIPTION_IDENTIFIER = 0x0B,
    SESSION_EXPIRY = 0x11,
    ASSIGNED_IDENTIFIER = 0x12,
    SERVER_KEEP_ALIVE = 0x13,
    AUTH_METHOD = 0x15,
    AUTH_DATA = 0x16,
    REQUEST_PROBLEM = 0x17,
    WILL_DELAY = 0x18,
    REQUEST_RESPONSE = 0x19,
    RESPONSE_INFORMATION = 0x1A,
    SERVER_REFERENCE = 0x1C,
    REASON_STRING = 0x1F,
    RECEIVE_MAXIMUM = 0x21,
    TOPIC_ALIAS_MAXIMUM = 0x22,
    TOPIC_ALIAS = 0x23,
    MAXIMUM_QOS = 0x24,
    RETAIN_AVAILABLE = 0x25,
    USER_PROPERTY = 0x26,
    MAXIMUM_PACKET = 0x27,
    WILDCARD_AVAILABLE = 0x28,
    IDENTIFIERS_AVAILABLE = 0x29,
    SHARED_AVAILABLE = 0x2A,
    PROPERTY_COUNT = 0x2B
};

/* Those of one packet: `number` and `text` count where `seen` has its bit. */
struct properties {
    uint64_t seen;
    struct bytes all;
    uint32_t number[PROPERTY_COUNT];
    struct bytes text[PROPERTY_COUNT];
};

static inline bool has(const struct properties *p, unsigned property)
{
    return p->seen >> property & 1;
}

static inline uint32_t number_of(const struct properties *p, unsigned property,
                                 uint32_t otherwise)
{
    return has(p, property) ? p->number[property] : otherwise;
}

struct packet {
    uint8_t first, type, qos, code;
    uint16_t identifier;
    uint32_t size; /* of the whole packet */
    struct properties properties;
    /* PUBLISH; CONNECT: of the will */
    struct bytes topic, payload;
    /* CONNECT */
    uint8_t level, flags;
    uint16_t keep_alive;
    struct bytes client_identifier, user_name, password;
    struct properties will;
    /* SUBSCRIBE, UNSUBSCRIBE: checked; see next_filter() */
    struct bytes filters;
};

/* Bits of the flags of CONNECT. */
enum { CLEAN_START = 0x02, HAS_WILL = 0x04, WILL_RETAIN = 0x20 };

/* The size of the packet at the start of these bytes; 0: not known yet. A
 * length of more than four bytes is UINT32_MAX. */
uint32_t packet_measure(const uint8_t *bytes, uint32_t size, uint32_t *header);

/* Decode a whole packet of a client that speaks `level` (4, 5; 0: not known,
 * CONNECT is expected). NULL, or what is wrong with it. */
const char *packet_decode(struct packet *packet, unsigned level,
                          const uint8_t *bytes, uint32_t size);

/* One topic filter of SUBSCRIBE or UNSUBSCRIBE and its options (0 there). */
bool next_filter(const struct packet *packet, struct bytes *rest,
                 struct bytes *filter, uint8_t *options);

/* Topic names and filters [4.7]. */
bool topic_name_good(struct bytes name);
bool topic_filter_good(struct bytes filter);
bool topic_matches(struct bytes filter, struct bytes name);
bool topic_has_wildcard(struct bytes filter);
/* "$share/group/filter": the filter, and in *group the part before it. */
bool topic_shared(struct bytes filter, struct bytes *group,
                  struct bytes *inner);
bool text_good(struct bytes text);

#endif
