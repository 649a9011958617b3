#include "answer.h"

#include <string.h>

static const char version[] = "HTTP/1.";
#define VERSION_SIZE (sizeof version - 1)
/* "HTTP/1.1 101" */
#define STATUS_SIZE (VERSION_SIZE + 5)

void mqtt_http_answer_begin(struct mqtt_http_answer *answer, uint32_t largest)
{
    memset(answer, 0, sizeof *answer);
    answer->largest = largest;
}

static enum mqtt_http_progress fault(struct mqtt_http_answer *a,
                                     const char *text)
{
    a->fault = text;
    return MQTT_HTTP_FAULT;
}

/* ---- text ---------------------------------------------------------------- */

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

bool mqtt_http_same(struct mqtt_span span, const char *text)
{
    const char *at = span.data;
    size_t i;

    for (i = 0; i < span.size; i++)
        if (!text[i] || lower(at[i]) != lower(text[i]))
            return false;
    return !text[i];
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct mqtt_span trimmed(const char *from, const char *to)
{
    while (from < to && is_space(*from))
        from++;
    while (from < to && is_space(to[-1]))
        to--;
    return (struct mqtt_span){from, (size_t)(to - from)};
}

bool mqtt_http_lists(struct mqtt_span list, const char *token)
{
    const char *at = list.data, *end = at + list.size, *comma;

    for (; at < end; at = comma + 1) {
        comma = memchr(at, ',', (size_t)(end - at));
        if (!comma)
            comma = end;
        if (mqtt_http_same(trimmed(at, comma), token))
            return true;
    }
    return false;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* ---- lines --------------------------------------------------------------- */

/* It goes to logs and screens, so only what is ASCII and has a shape. */
static void keep_status_line(struct mqtt_http_answer *a)
{
    size_t i;

    for (i = 0; i < a->line_size && i < sizeof a->status_line - 1; i++)
        a->status_line[i] =
            a->line[i] >= ' ' && a->line[i] <= '~' ? a->line[i] : '?';
    a->status_line[i] = 0;
}

static enum mqtt_http_progress end_status_line(struct mqtt_http_answer *a)
{
    const char *status = a->line + VERSION_SIZE + 2;

    if (a->line_size < STATUS_SIZE || !is_digit(status[-2]) ||
        status[-1] != ' ' || !is_digit(status[0]) || !is_digit(status[1]) ||
        !is_digit(status[2]) || status[0] == '0' ||
        (a->line_size > STATUS_SIZE && status[3] != ' '))
        return fault(a, "its answer has no status");
    a->minor = (unsigned)(status[-2] - '0');
    a->status = (unsigned)((status[0] - '0') * 100 + (status[1] - '0') * 10 +
                           (status[2] - '0'));
    keep_status_line(a);
    return MQTT_HTTP_MORE;
}

static bool is_interim(const struct mqtt_http_answer *a)
{
    return a->status < 200 && a->status != 101;
}

/* An empty line. */
static enum mqtt_http_progress end_head(struct mqtt_http_answer *a)
{
    if (!is_interim(a))
        return MQTT_HTTP_END;
    a->status = 0;
    return MQTT_HTTP_MORE;
}

/* A line that begins with a space would go on with the one before: nobody may
 * send that any more [RFC 9112, 5.2]. */
static enum mqtt_http_progress end_field(struct mqtt_http_answer *a)
{
    const char *end = a->line + a->line_size;
    const char *colon = memchr(a->line, ':', a->line_size);
    struct mqtt_span name = {a->line, 0};

    if (!colon || colon == a->line)
        return fault(a, "a header that is none");
    name.size = (size_t)(colon - a->line);
    if (memchr(a->line, ' ', name.size) || memchr(a->line, '\t', name.size))
        return fault(a, "a header that is none");
    if (a->field && !is_interim(a))
        a->field(a->context, name, trimmed(colon + 1, end));
    return MQTT_HTTP_MORE;
}

static enum mqtt_http_progress end_line(struct mqtt_http_answer *a)
{
    enum mqtt_http_progress progress;

    a->after_cr = false;
    if (!a->status)
        progress = end_status_line(a);
    else if (a->line_size == 0)
        progress = end_head(a);
    else
        progress = end_field(a);
    a->line_size = 0;
    return progress;
}

/* ---- bytes --------------------------------------------------------------- */

/* What speaks another protocol is known by its first bytes. */
static bool begins_well(const struct mqtt_http_answer *a)
{
    size_t size = a->line_size < VERSION_SIZE ? a->line_size : VERSION_SIZE;

    return a->status || memcmp(a->line, version, size) == 0;
}

static bool is_control(char byte)
{
    return ((unsigned char)byte < ' ' && byte != '\r' && byte != '\t') ||
           byte == 0x7f;
}

enum mqtt_http_progress mqtt_http_answer_take(struct mqtt_http_answer *a,
                                              char byte)
{
    if (a->size++ >= a->largest)
        return fault(a, "its answer's head is too large");
    if (byte == '\n')
        return end_line(a);
    if (a->after_cr || is_control(byte))
        return fault(a, "a control character in its answer");
    a->after_cr = byte == '\r';
    if (!a->after_cr && a->line_size < sizeof a->line)
        a->line[a->line_size++] = byte;
    return begins_well(a) ? MQTT_HTTP_MORE : fault(a, "it does not speak HTTP");
}
