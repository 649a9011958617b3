#include "wire/length.h"
#include "wire/packet.h"
#include "wire/utf8.h"

/* Connect flags [3.1.1, section 3.1.2.3]. */
enum {
    CLEAN_SESSION = 0x02,
    WILL = 0x04,
    WILL_RETAIN = 0x20,
    PASSWORD = 0x40,
    USER_NAME = 0x80
};

#define PROTOCOL_LEVEL 4
#define DEFAULT_KEEP_ALIVE_S 60

static bool text_valid(struct mqtt_span text)
{
    return !text.size || (text.data && mqtt_utf8_valid(text));
}

static bool will_valid(const struct mqtt_message *will)
{
    return mqtt_topic_name_valid(will->topic_name) && will->qos <= MQTT_QOS_2 &&
           will->payload.size <= 65535 &&
           (will->payload.data || !will->payload.size);
}

enum mqtt_error
mqtt_connect_check_shared(const struct mqtt_connect_options *options)
{
    if (!text_valid(options->client_identifier))
        return MQTT_ERR_CLIENT_IDENTIFIER;
    if (!text_valid(options->user_name))
        return MQTT_ERR_USER_NAME;
    if (options->password.size > 65535 ||
        (options->password.size && !options->password.data))
        return MQTT_ERR_PASSWORD;
    if (options->will && !will_valid(options->will))
        return MQTT_ERR_WILL;
    if (options->keep_alive_s > 65535 &&
        options->keep_alive_s != MQTT_KEEP_ALIVE_OFF)
        return MQTT_ERR_ARGUMENT;
    return MQTT_OK;
}

enum mqtt_error mqtt_connect_check(const struct mqtt_connect_options *options)
{
    if (!options->client_identifier.size && !options->clean_start)
        return MQTT_ERR_CLIENT_IDENTIFIER; /* [3.1.1 MQTT-3.1.3-7] */
    if (options->password.data && !options->user_name.data)
        return MQTT_ERR_USER_NAME; /* [3.1.1 MQTT-3.1.2-22] */
    return mqtt_connect_check_shared(options);
}

uint16_t mqtt_connect_keep_alive(const struct mqtt_connect_options *options)
{
    if (options->keep_alive_s == MQTT_KEEP_ALIVE_OFF)
        return 0;
    return options->keep_alive_s ? (uint16_t)options->keep_alive_s
                                 : DEFAULT_KEEP_ALIVE_S;
}

static uint32_t text_size(struct mqtt_span text)
{
    return text.data ? 2 + (uint32_t)text.size : 0;
}

uint32_t mqtt_connect_length(const struct mqtt_connect_options *options)
{
    uint32_t length = 10 + 2 + (uint32_t)options->client_identifier.size;

    if (options->will)
        length += 4 + (uint32_t)options->will->topic_name.size +
                  (uint32_t)options->will->payload.size;
    return length + text_size(options->user_name) +
           text_size(options->password);
}

uint32_t mqtt_connect_size(const struct mqtt_connect_options *options,
                           const struct mqtt_announced *announced)
{
    uint32_t length = mqtt_connect_length(options);

    (void)announced;
    return 1 + mqtt_length_size(length) + length;
}

static unsigned connect_flags(const struct mqtt_connect_options *options)
{
    const struct mqtt_message *will = options->will;
    unsigned flags = options->clean_start ? CLEAN_SESSION : 0;

    if (will)
        flags |=
            WILL | (unsigned)will->qos << 3 | (will->retain ? WILL_RETAIN : 0u);
    if (options->user_name.data)
        flags |= USER_NAME;
    if (options->password.data)
        flags |= PASSWORD;
    return flags;
}

void mqtt_connect_write_head(struct mqtt_writer *w,
                             const struct mqtt_connect_options *options,
                             uint8_t level, uint32_t length)
{
    static const struct mqtt_span name = MQTT_TEXT("MQTT");

    mqtt_write_u8(w, mqtt_first_byte(MQTT_CONNECT));
    mqtt_write_length(w, length);
    mqtt_write_text(w, name);
    mqtt_write_u8(w, level);
    mqtt_write_u8(w, connect_flags(options));
    mqtt_write_u16(w, mqtt_connect_keep_alive(options));
}

void mqtt_connect_write_login(struct mqtt_writer *w,
                              const struct mqtt_connect_options *options)
{
    if (options->user_name.data)
        mqtt_write_text(w, options->user_name);
    if (options->password.data)
        mqtt_write_text(w, options->password);
}

void mqtt_connect_write(struct mqtt_writer *w,
                        const struct mqtt_connect_options *options,
                        const struct mqtt_announced *announced)
{
    (void)announced;
    /* In this order [3.1.1 MQTT-3.1.3-1]. */
    mqtt_connect_write_head(w, options, PROTOCOL_LEVEL,
                            mqtt_connect_length(options));
    mqtt_write_text(w, options->client_identifier);
    if (options->will) {
        mqtt_write_text(w, options->will->topic_name);
        mqtt_write_text(w, options->will->payload);
    }
    mqtt_connect_write_login(w, options);
}

enum mqtt_error mqtt_connack_read(struct mqtt_reader *r, bool *session_present,
                                  uint8_t *code)
{
    uint8_t flags = mqtt_read_u8(r);

    *code = mqtt_read_u8(r);
    *session_present = flags & 1;
    if (r->overflow)
        return MQTT_ERR_TRUNCATED;
    if (r->at != r->end)
        return MQTT_ERR_TRAILING_BYTES;
    if (flags > 1)
        return MQTT_ERR_CONNACK_FLAGS;
    if (*code > 5)
        return MQTT_ERR_CONNACK_CODE;
    if (*code && *session_present)
        return MQTT_ERR_SESSION_PRESENT; /* [3.1.1 MQTT-3.2.2-4] */
    return MQTT_OK;
}
