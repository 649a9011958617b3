/*
 * What a proxy is asked and answers, byte by byte: proxy.c moves the bytes,
 * socks5.c and http_connect.c know what they mean.
 */
#ifndef MQTTLOOP_POSIX_PROXY_TALK_H
#define MQTTLOOP_POSIX_PROXY_TALK_H

#include "../http/answer.h"

#include <mqttloop/client.h>
#include <mqttloop/network.h>

enum mqtt_proxy_state {
    MQTT_PROXY_CLOSED,
    MQTT_PROXY_AWAIT_BELOW,
    MQTT_PROXY_TALKING,
    MQTT_PROXY_OPEN,
    MQTT_PROXY_FAILED
};

/** Longest answer of SOCKS5: a name of 255 bytes. */
#define MQTT_SOCKS5_ANSWER 262

struct mqtt_proxy_layer;

struct mqtt_socks5 {
    void (*stage)(struct mqtt_proxy_layer *self); /* who takes the answer */
    size_t wanted, size;                          /* bytes of it */
    uint8_t answer[MQTT_SOCKS5_ANSWER];
};

struct mqtt_proxy_talk {
    /** Put what is said first. */
    void (*begin)(struct mqtt_proxy_layer *self);
    /** The proxy says this byte. */
    void (*take)(struct mqtt_proxy_layer *self, uint8_t byte);
};

struct mqtt_proxy_layer {
    struct mqtt_layer layer;
    const struct mqtt_proxy *proxy;
    const struct mqtt_proxy_talk *talk;
    struct mqtt_server address; /* the proxy's */
    struct mqtt_url url;        /* of the server that it is asked for */
    enum mqtt_proxy_state state;
    enum mqtt_error error; /* MQTT_OK: what lies below has failed */
    char detail[256];
    union {
        struct mqtt_socks5 socks5;
        struct mqtt_http_answer http;
    };
    uint8_t read[256]; /* from below, */
    size_t read_at;    /* of which this was taken, */
    size_t read_size;  /* of this */
    size_t credentials_size;
    size_t out_at, out_size, out_room;
    uint8_t out[]; /* behind the room: "user:password", with a user name */
};

extern const struct mqtt_proxy_talk mqtt_socks5, mqtt_http_connect;

/** Say this; what is longer than the memory for it fails. */
void mqtt_proxy_put(struct mqtt_proxy_layer *self, const void *bytes,
                    size_t size);
/** The connection is of no use any more; its detail is made of two parts. */
void mqtt_proxy_fail(struct mqtt_proxy_layer *self, const char *subject,
                     const char *text);

#endif
