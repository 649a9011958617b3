/*
 * The head of an HTTP/1 answer [RFC 9112], byte by byte, in memory of fixed
 * size: WebSocket servers and HTTP proxies answer with one. Interim answers
 * (1xx, but for 101) are read past.
 */
#ifndef MQTTLOOP_HTTP_ANSWER_H
#define MQTTLOOP_HTTP_ANSWER_H

#include <mqttloop/types.h>

enum mqtt_http_progress {
    MQTT_HTTP_MORE, /**< the head has not ended */
    MQTT_HTTP_END,  /**< this was its last byte */
    MQTT_HTTP_FAULT /**< see `fault` */
};

/** A line longer than this is cut; no field that anybody looks at is. */
#define MQTT_HTTP_LINE 256

struct mqtt_http_answer {
    /* set by the owner after mqtt_http_answer_begin() */
    void (*field)(void *context, struct mqtt_span name, struct mqtt_span value);
    void *context;

    unsigned status; /**< 0: the status line has not come */
    unsigned minor;  /**< of HTTP/1.x */
    const char *fault;
    char status_line[128]; /**< what can be shown of it */

    uint32_t size, largest; /* of the head; bytes */
    size_t line_size;
    bool after_cr;
    char line[MQTT_HTTP_LINE];
};

/** `largest`: more bytes of head than that are a fault. */
void mqtt_http_answer_begin(struct mqtt_http_answer *answer, uint32_t largest);
enum mqtt_http_progress mqtt_http_answer_take(struct mqtt_http_answer *answer,
                                              char byte);

/** The same text but for the case of ASCII letters. */
bool mqtt_http_same(struct mqtt_span span, const char *text);
/** Whether a list with commas names this one, in whatever case. */
bool mqtt_http_lists(struct mqtt_span list, const char *token);

#endif
