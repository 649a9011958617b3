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
};

/*
 * By code [5.0, table 2-6]; who may send DISCONNECT with it is in section
 * 3.14.2.1. From a server two more are let through: 0x00, which a DISCONNECT
 * without a code says, and 0x8C, which only table 2-6 has for DISCONNECT.
 */
static const struct reason reasons[] = {
    {0x00, CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH},
    {0x01, SUBACK},
    {0x02, SUBACK},
    {0x04, FROM_CLIENT},
    {0x10, PUBACK},
    {0x11, UNSUBACK},
    {0x18, AUTH},
    {0x19, 0},
    {0x80, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT},
    {0x81, CONNACK | DISCONNECT},
    {0x82, CONNACK | DISCONNECT},
    {0x83, CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT},
    {0x84, CONNACK},
    {0x85, CONNACK},
    {0x86, CONNACK},
    {0x87, CONNACK | PUBACK | SUBACK | UNSUBACK | FROM_SERVER},
    {0x88, CONNACK},
    {0x89, CONNACK | FROM_SERVER},
    {0x8A, CONNACK},
    {0x8B, FROM_SERVER},
    {0x8C, CONNACK | FROM_SERVER},
    {0x8D, FROM_SERVER},
    {0x8E, FROM_SERVER},
    {0x8F, SUBACK | UNSUBACK | FROM_SERVER},
    {0x90, CONNACK | PUBACK | DISCONNECT},
    {0x91, PUBACK | SUBACK | UNSUBACK},
    {0x92, PUBREL},
    {0x93, DISCONNECT},
    {0x94, DISCONNECT},
    {0x95, CONNACK | DISCONNECT},
    {0x96, DISCONNECT},
    {0x97, CONNACK | PUBACK | SUBACK | DISCONNECT},
    {0x98, DISCONNECT},
    {0x99, CONNACK | PUBACK | DISCONNECT},
    {0x9A, CONNACK | FROM_SERVER},
    {0x9B, CONNACK | FROM_SERVER},
    {0x9C, CONNACK | FROM_SERVER},
    {0x9D, CONNACK | FROM_SERVER},
    {0x9E, SUBACK | FROM_SERVER},
    {0x9F, CONNACK | FROM_SERVER},
    {0xA0, FROM_SERVER},
    {0xA1, SUBACK | FROM_SERVER},
    {0xA2, SUBACK | FROM_SERVER},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

/* Success, which is nearly all that comes, is the first. */
bool mqtt_reason_may_stand(uint8_t code, enum mqtt_reason_place place)
{
    for (size_t i = 0; i < REASONS; i++)
        if (reasons[i].code == code)
            return reasons[i].places & place;
    return false;
}
