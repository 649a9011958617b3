#include <mqttloop/log.h>
#include "wire/packet.h"

/* Where the line grows; what does not fit is left out. */
struct line {
    char *at, *end;
};

static void put_char(struct line *line, char c)
{
    if (line->at < line->end)
        *line->at++ = c;
}

static void put_text(struct line *line, const char *text)
{
    while (*text)
        put_char(line, *text++);
}

static void put_number(struct line *line, uint32_t number)
{
    /* Without division: subtract powers of ten. */
    static const uint32_t powers[] = {1000000000, 100000000, 10000000, 1000000,
                                      100000,     10000,     1000,     100,
                                      10,         1};
    bool begun = false;

    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        char digit = '0';

        for (; number >= powers[i]; number -= powers[i])
            digit++;
        begun = begun || digit != '0' || powers[i] == 1;
        if (begun)
            put_char(line, digit);
    }
}

static void put_quoted(struct line *line, struct mqtt_span text)
{
    const uint8_t *at = text.data;

    put_text(line, " \"");
    for (size_t i = 0; i < text.size; i++)
        put_char(line, at[i] >= 0x20 && at[i] < 0x7f ? (char)at[i] : '?');
    put_char(line, '"');
}

static const char *type_text(uint8_t first_byte)
{
    static const char *const texts[16] = {
        "packet 0",  "CONNECT",  "CONNACK",     "PUBLISH",
        "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
        "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
        "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};

    return texts[first_byte >> 4];
}

static void put_publish_flags(struct line *line, uint8_t first_byte)
{
    put_text(line, " q");
    put_number(line, mqtt_publish_qos(first_byte));
    if (first_byte & MQTT_FLAG_DUP)
        put_text(line, " dup");
    if (first_byte & MQTT_FLAG_RETAIN)
        put_text(line, " retain");
}

static void put_code(struct line *line, uint8_t code)
{
    put_text(line, " code ");
    put_number(line, code);
}

static void put_connack(struct line *line, const struct mqtt_trace *trace)
{
    put_code(line, trace->code);
    if (trace->session_present)
        put_text(line, " session present");
}

/* What is set in CONNECT, by name; never what it is set to. */
static void put_connect_flags(struct line *line, uint8_t flags)
{
    if (flags & 0x02)
        put_text(line, " clean");
    if (flags & 0x04)
        put_text(line, " will");
    if (flags & 0x80)
        put_text(line, " user name");
    if (flags & 0x40)
        put_text(line, " password");
}

static void put_details(struct line *line, const struct mqtt_trace *trace)
{
    switch ((enum mqtt_packet_type)(trace->first_byte >> 4)) {
    case MQTT_CONNECT:
        put_connect_flags(line, trace->code);
        break;
    case MQTT_CONNACK:
        put_connack(line, trace);
        break;
    case MQTT_PUBLISH:
        put_publish_flags(line, trace->first_byte);
        break;
    case MQTT_SUBACK:
        put_code(line, trace->code);
        break;
    default: /* 0 is what goes without saying */
        if (trace->code)
            put_code(line, trace->code);
    }
}

size_t mqtt_trace_format(const struct mqtt_trace *trace, char *out, size_t size)
{
    struct line line = {out, out + (size ? size - 1 : 0)};

    if (!size)
        return 0;
    put_text(&line, trace->sent ? "> " : "< ");
    put_text(&line, type_text(trace->first_byte));
    put_details(&line, trace);
    if (trace->packet_identifier) {
        put_text(&line, " id ");
        put_number(&line, trace->packet_identifier);
    }
    if (trace->text.size)
        put_quoted(&line, trace->text);
    put_char(&line, ' ');
    put_number(&line, trace->size);
    put_text(&line, " bytes");
    *line.at = '\0';
    return (size_t)(line.at - out);
}
