/*
 * HTTP CONNECT [RFC 9110, section 9.3.6], with basic credentials [RFC 7617].
 */
#include "../http/base64.h"
#include "proxy_talk.h"

#include <stdio.h>
#include <string.h>

#define LARGEST_ANSWER 8192

static void put(struct mqtt_proxy_layer *self, const char *text)
{
    mqtt_proxy_put(self, text, strlen(text));
}

/* A name, or an address, that of IPv6 in brackets; and the port always. */
static void put_server(struct mqtt_proxy_layer *self)
{
    struct mqtt_span host = self->url.host;
    bool v6 = memchr(host.data, ':', host.size);
    char port[8];

    snprintf(port, sizeof port, ":%u", self->url.port);
    put(self, v6 ? "[" : "");
    mqtt_proxy_put(self, host.data, host.size);
    put(self, v6 ? "]" : "");
    put(self, port);
}

/* They were laid out behind the room for what is said. */
static void put_credentials(struct mqtt_proxy_layer *self)
{
    size_t size = self->credentials_size;

    if (MQTT_BASE64_SIZE(size) > self->out_room - self->out_size) {
        mqtt_proxy_put(self, NULL, SIZE_MAX);
        return;
    }
    mqtt_base64_write(self->out + self->out_room, size,
                      (char *)self->out + self->out_size);
    self->out_size += MQTT_BASE64_SIZE(size);
}

static void begin(struct mqtt_proxy_layer *self)
{
    const char *user_name = self->proxy->user_name;

    mqtt_http_answer_begin(&self->http, LARGEST_ANSWER);
    if (user_name && strchr(user_name, ':')) {
        mqtt_proxy_fail(self, "the proxy's user name has a colon", "");
        return;
    }
    put(self, "CONNECT ");
    put_server(self);
    put(self, " HTTP/1.1\r\nHost: ");
    put_server(self);
    if (user_name) {
        put(self, "\r\nProxy-Authorization: Basic ");
        put_credentials(self);
    }
    put(self, "\r\n\r\n");
}

static void judge(struct mqtt_proxy_layer *self)
{
    if (self->http.status >= 200 && self->http.status < 300)
        self->state = MQTT_PROXY_OPEN;
    else
        mqtt_proxy_fail(self, "the proxy answers", self->http.status_line);
}

/* What refuses is not read to its end: the status says all. */
static void take(struct mqtt_proxy_layer *self, uint8_t byte)
{
    switch (mqtt_http_answer_take(&self->http, (char)byte)) {
    case MQTT_HTTP_FAULT:
        mqtt_proxy_fail(self, "the proxy", self->http.fault);
        break;
    case MQTT_HTTP_END:
        judge(self);
        break;
    case MQTT_HTTP_MORE:
        if (self->http.status >= 300)
            judge(self);
    }
}

const struct mqtt_proxy_talk mqtt_http_connect = {begin, take};
