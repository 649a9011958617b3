/*
 * reason.c - reason codes: which may stand where, and the standard's words
 * [5.0, table 2-6, and the tables of each packet].
 */
#include "script.h"

#include "wire/reason.h"

#define LIST(...)                                                              \
    {                                                                          \
        (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})       \
    }

/* Of each packet, its table of the standard. */
static const struct {
    enum mqtt_reason_place place;
    struct {
        const uint8_t *codes;
        size_t count;
    } list;
} packets[] = {
    /* [5.0, section 3.2.2.2] */
    {MQTT_REASON_IN_CONNACK,
     LIST(0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
          0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F)},
    /* [5.0, section 3.4.2.1, 3.5.2.1] */
    {MQTT_REASON_IN_PUBACK,
     LIST(0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)},
    /* [5.0, section 3.6.2.1, 3.7.2.1] */
    {MQTT_REASON_IN_PUBREL, LIST(0x00, 0x92)},
    /* [5.0, section 3.9.3] */
    {MQTT_REASON_IN_SUBACK, LIST(0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91,
                                 0x97, 0x9E, 0xA1, 0xA2)},
    /* [5.0, section 3.11.3] */
    {MQTT_REASON_IN_UNSUBACK, LIST(0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91)},
    /* [5.0, section 3.14.2.1], with 0x00, and 0x8C of table 2-6 */
    {MQTT_REASON_IN_SERVER_DISCONNECT,
     LIST(0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E,
          0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B,
          0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2)},
    /* [5.0, section 3.14.2.1] */
    {MQTT_REASON_IN_CLIENT_DISCONNECT,
     LIST(0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96,
          0x97, 0x98, 0x99)},
    /* [5.0, section 3.15.2.1] */
    {MQTT_REASON_IN_SERVER_AUTH, LIST(0x00, 0x18)},
};
#define PACKETS (sizeof(packets) / sizeof(packets[0]))

static void test_a_code_stands_only_in_its_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < PACKETS; i++)
        for (unsigned code = 0; code < 256; code++)
            if (mqtt_reason_may_stand((uint8_t)code, packets[i].place) !=
                (memchr(packets[i].list.codes, (int)code,
                        packets[i].list.count) != NULL))
                fail_msg("%02x in packet %zu", code, i);
}

/* Code, the name that the header gives it, the standard's words. */
static const struct {
    uint8_t code;
    enum mqtt_reason_code name;
    const char *text;
} codes[] = {
    {0x00, MQTT_REASON_SUCCESS, "Success"},
    {0x01, MQTT_REASON_GRANTED_QOS_1, "Granted QoS 1"},
    {0x02, MQTT_REASON_GRANTED_QOS_2, "Granted QoS 2"},
    {0x04, MQTT_REASON_DISCONNECT_WITH_WILL, "Disconnect with Will Message"},
    {0x10, MQTT_REASON_NO_MATCHING_SUBSCRIBERS, "No matching subscribers"},
    {0x11, MQTT_REASON_NO_SUBSCRIPTION_EXISTED, "No subscription existed"},
    {0x18, MQTT_REASON_CONTINUE_AUTHENTICATION, "Continue authentication"},
    {0x19, MQTT_REASON_RE_AUTHENTICATE, "Re-authenticate"},
    {0x80, MQTT_REASON_UNSPECIFIED_ERROR, "Unspecified error"},
    {0x81, MQTT_REASON_MALFORMED_PACKET, "Malformed Packet"},
    {0x82, MQTT_REASON_PROTOCOL_ERROR, "Protocol Error"},
    {0x83, MQTT_REASON_IMPLEMENTATION_SPECIFIC_ERROR,
     "Implementation specific error"},
    {0x84, MQTT_REASON_UNSUPPORTED_PROTOCOL_VERSION,
     "Unsupported Protocol Version"},
    {0x85, MQTT_REASON_CLIENT_IDENTIFIER_NOT_VALID,
     "Client Identifier not valid"},
    {0x86, MQTT_REASON_BAD_USER_NAME_OR_PASSWORD, "Bad User Name or Password"},
    {0x87, MQTT_REASON_NOT_AUTHORIZED, "Not authorized"},
    {0x88, MQTT_REASON_SERVER_UNAVAILABLE, "Server unavailable"},
    {0x89, MQTT_REASON_SERVER_BUSY, "Server busy"},
    {0x8A, MQTT_REASON_BANNED, "Banned"},
    {0x8B, MQTT_REASON_SERVER_SHUTTING_DOWN, "Server shutting down"},
    {0x8C, MQTT_REASON_BAD_AUTHENTICATION_METHOD, "Bad authentication method"},
    {0x8D, MQTT_REASON_KEEP_ALIVE_TIMEOUT, "Keep Alive timeout"},
    {0x8E, MQTT_REASON_SESSION_TAKEN_OVER, "Session taken over"},
    {0x8F, MQTT_REASON_TOPIC_FILTER_INVALID, "Topic Filter invalid"},
    {0x90, MQTT_REASON_TOPIC_NAME_INVALID, "Topic Name invalid"},
    {0x91, MQTT_REASON_PACKET_IDENTIFIER_IN_USE, "Packet Identifier in use"},
    {0x92, MQTT_REASON_PACKET_IDENTIFIER_NOT_FOUND,
     "Packet Identifier not found"},
    {0x93, MQTT_REASON_RECEIVE_MAXIMUM_EXCEEDED, "Receive Maximum exceeded"},
    {0x94, MQTT_REASON_TOPIC_ALIAS_INVALID, "Topic Alias invalid"},
    {0x95, MQTT_REASON_PACKET_TOO_LARGE, "Packet too large"},
    {0x96, MQTT_REASON_MESSAGE_RATE_TOO_HIGH, "Message rate too high"},
    {0x97, MQTT_REASON_QUOTA_EXCEEDED, "Quota exceeded"},
    {0x98, MQTT_REASON_ADMINISTRATIVE_ACTION, "Administrative action"},
    {0x99, MQTT_REASON_PAYLOAD_FORMAT_INVALID, "Payload format invalid"},
    {0x9A, MQTT_REASON_RETAIN_NOT_SUPPORTED, "Retain not supported"},
    {0x9B, MQTT_REASON_QOS_NOT_SUPPORTED, "QoS not supported"},
    {0x9C, MQTT_REASON_USE_ANOTHER_SERVER, "Use another server"},
    {0x9D, MQTT_REASON_SERVER_MOVED, "Server moved"},
    {0x9E, MQTT_REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
     "Shared Subscriptions not supported"},
    {0x9F, MQTT_REASON_CONNECTION_RATE_EXCEEDED, "Connection rate exceeded"},
    {0xA0, MQTT_REASON_MAXIMUM_CONNECT_TIME, "Maximum connect time"},
    {0xA1, MQTT_REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
     "Subscription Identifiers not supported"},
    {0xA2, MQTT_REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
     "Wildcard Subscriptions not supported"},
};
#define CODES (sizeof(codes) / sizeof(codes[0]))

static const char *text_of(unsigned code)
{
    for (size_t i = 0; i < CODES; i++)
        if (codes[i].code == code)
            return codes[i].text;
    return "Unknown reason code";
}

static void test_codes_have_the_words_of_the_standard(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++)
        assert_string_equal(mqtt_reason_code_text((uint8_t)code),
                            text_of(code));
}

static void test_names_stand_for_the_codes_of_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODES; i++)
        assert_int_equal(codes[i].name, codes[i].code);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_code_stands_only_in_its_packets),
        cmocka_unit_test(test_codes_have_the_words_of_the_standard),
        cmocka_unit_test(test_names_stand_for_the_codes_of_the_standard),
    };

    return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
