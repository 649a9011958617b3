#include "wire/reason.h"

#define CONNACK MQTT_REASON_IN_CONNACK
#define PUBACK MQTT_REASON_IN_PUBACK
#define PUBREL MQTT_REASON_IN_PUBREL
#define SUBACK MQTT_REASON_IN_SUBACK
#define UNSUBACK MQTT_REASON_IN_UNSUBACK
#define FROM_SERVER MQTT_REASON_IN_SERVER_DISCONNECT
#define FROM_CLIENT MQTT_REASON_IN_CLIENT_DISCONNECT
#define DISCONNECT (FROM_SERVER | FROM_CLIENT)
#define AUTH MQTT_REASON_IN_SERVER_AUTH

struct reason {
    uint8_t code, places;
    const char *text;
};

/*
 * By code [5.0, table 2-6]; who may send DISCONNECT with it is in section
 * 3.14.2.1. From a server two more are let through: 0x00, which a DISCONNECT
 * without a code says, and 0x8C, which only table 2-6 has for DISCONNECT.
 */
static const struct reason reasons[] = {
    {0x00, CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH,
     "Success"},
    {0x01, SUBACK, "Granted QoS 1"},
    {0x02, SUBACK, "Granted QoS 2"},
    {0x04, FROM_CLIENT, "Disconnect with Will Message"},
    {0x10, PUBACK, "No matching subscribers"},
    {0x11, UNSUBACK, "No subscription existed"},
    {0x18, AUTH, "Continue authentication"},
    {0x19, 0, "Re-authenticate"},
    {0x80, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT,
     "Unspecified error"},
    {0x81, CONNACK | DISCONNECT, "Malformed Packet"},
    {0x82, CONNACK | DISCONNECT, "Protocol Error"},
    {0x83, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT,
     "Implementation specific error"},
    {0x84, CONNACK, "Unsupported Protocol Version"},
    {0x85, CONNACK, "Client Identifier not valid"},
    {0x86, CONNACK, "Bad User Name or Password"},
    {0x87, CONNACK | PUBACK | SUBACK | UNSUBACK | FROM_SERVER,
     "Not authorized"},
    {0x88, CONNACK, "Server unavailable"},
    {0x89, CONNACK | FROM_SERVER, "Server busy"},
    {0x8A, CONNACK, "Banned"},
    {0x8B, FROM_SERVER, "Server shutting down"},
    {0x8C, CONNACK | FROM_SERVER, "Bad authentication method"},
    {0x8D, FROM_SERVER, "Keep Alive timeout"},
    {0x8E, FROM_SERVER, "Session taken over"},
    {0x8F, SUBACK | UNSUBACK | FROM_SERVER, "Topic Filter invalid"},
    {0x90, CONNACK | PUBACK | DISCONNECT, "Topic Name invalid"},
    {0x91, PUBACK | SUBACK | UNSUBACK, "Packet Identifier in use"},
    {0x92, PUBREL, "Packet Identifier not found"},
    {0x93, DISCONNECT, "Receive Maximum exceeded"},
    {0x94, DISCONNECT, "Topic Alias invalid"},
    {0x95, CONNACK | DISCONNECT, "Packet too large"},
    {0x96, DISCONNECT, "Message rate too high"},
    {0x97, CONNACK | PUBACK | SUBACK | DISCONNECT, "Quota exceeded"},
    {0x98, DISCONNECT, "Administrative action"},
    {0x99, CONNACK | PUBACK | DISCONNECT, "Payload format invalid"},
    {0x9A, CONNACK | FROM_SERVER, "Retain not supported"},
    {0x9B, CONNACK | FROM_SERVER, "QoS not supported"},
    {0x9C, CONNACK | FROM_SERVER, "Use another server"},
    {0x9D, CONNACK | FROM_SERVER, "Server moved"},
    {0x9E, SUBACK | FROM_SERVER, "Shared Subscriptions not supported"},
    {0x9F, CONNACK | FROM_SERVER, "Connection rate exceeded"},
    {0xA0, FROM_SERVER, "Maximum connect time"},
    {0xA1, SUBACK | FROM_SERVER, "Subscription Identifiers not supported"},
    {0xA2, SUBACK | FROM_SERVER, "Wildcard Subscriptions not supported"},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

/* Success, which is nearly all that comes, is the first. */
static const struct reason *find(uint8_t code)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i].code == code)
            return &reasons[i];
    return NULL;
}

const char *mqtt_reason_code_text(uint8_t reason_code)
{
    const struct reason *reason = find(reason_code);

    return reason ? reason->text : "Unknown reason code";
}

bool mqtt_reason_may_stand(uint8_t code, enum mqtt_reason_place place)
{
    const struct reason *reason = find(code);

    return reason && (reason->places & place);
}
