/*
 * answer.c - the head of an HTTP answer, byte by byte.
 *
 * An input is how large the head may be, in units of 4 bytes, then the answer.
 * What the reader tells of lies in its own line and has a shape; it keeps its
 * bound, and says nothing more after a fault.
 */
#include "fuzz.h"

#include "../../platform/http/answer.h"

struct told {
    const struct mqtt_http_answer *answer;
    unsigned fields;
};

static void is_in_line(const struct mqtt_http_answer *answer,
                       struct mqtt_span span)
{
    const char *at = span.data;

    require(at >= answer->line);
    require(at + span.size <= answer->line + MQTT_HTTP_LINE);
    require(!memchr(at, '\n', span.size) && !memchr(at, '\r', span.size));
}

static void take_field(void *context, struct mqtt_span name,
                       struct mqtt_span value)
{
    struct told *told = context;

    told->fields++;
    is_in_line(told->answer, name);
    is_in_line(told->answer, value);
    require(name.size > 0 && !memchr(name.data, ' ', name.size));
    require(told->answer->status == 101 || told->answer->status >= 200);
    mqtt_http_same(name, "Connection");
    mqtt_http_lists(value, "Upgrade");
}

static void look_at_end(const struct mqtt_http_answer *answer)
{
    require(answer->status == 101 ||
            (answer->status >= 200 && answer->status <= 999));
    require(answer->minor <= 9);
    require(strlen(answer->status_line) >= 12);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
    enum mqtt_http_progress progress = MQTT_HTTP_MORE;
    struct mqtt_http_answer answer;
    struct told told = {&answer, 0};
    uint32_t largest;
    size_t i;

    if (!size)
        return;
    largest = bytes[0] * 4u;
    mqtt_http_answer_begin(&answer, largest);
    answer.field = take_field;
    answer.context = &told;
    for (i = 1; i < size && progress == MQTT_HTTP_MORE; i++)
        progress = mqtt_http_answer_take(&answer, (char)bytes[i]);
    require((progress == MQTT_HTTP_FAULT) == (answer.fault != NULL));
    require(progress == MQTT_HTTP_FAULT || i - 1 <= largest);
    require(told.fields <= i);
    if (progress == MQTT_HTTP_END)
        look_at_end(&answer);
}
