#include "websocket_bytes.h"

#include "../../platform/http/base64.h"
#include "../../platform/websocket/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY_SIZE 24

size_t answer(char out[ANSWER_SIZE], const char *format, const char *request)
{
    static const char header[] = "\r\nSec-WebSocket-Key: ";
    const char *key = strstr(request, header);
    char both[64], accept[MQTT_BASE64_SIZE(MQTT_SHA1_SIZE) + 1] = "";
    uint8_t digest[MQTT_SHA1_SIZE];
    int size;

    assert_non_null(key);
    snprintf(both, sizeof both, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
             KEY_SIZE, key + sizeof header - 1);
    mqtt_sha1(both, strlen(both), digest);
    mqtt_base64_write(digest, sizeof digest, accept);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size = snprintf(out, ANSWER_SIZE, format, accept);
#pragma GCC diagnostic pop
    assert_in_range(size, 0, ANSWER_SIZE - 1);
    return (size_t)size;
}

size_t good_answer(char out[ANSWER_SIZE], const char *request)
{
    return answer(out,
                  "HTTP/1.1 101 Switching Protocols\r\n"
                  "Upgrade: WebSocket\r\n"
                  "Connection: keep-alive, upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n"
                  "Sec-WebSocket-Protocol: mqtt\r\n"
                  "\r\n",
                  request);
}

size_t frame(uint8_t *out, uint8_t first, const void *payload, size_t size)
{
    size_t at = 0;

    out[at++] = first;
    if (size < 126) {
        out[at++] = (uint8_t)size;
    } else if (size < 65536) {
        out[at++] = 126;
        out[at++] = (uint8_t)(size >> 8);
        out[at++] = (uint8_t)size;
    } else {
        out[at++] = 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            out[at++] = (uint8_t)((uint64_t)size >> shift);
    }
    if (size)
        memcpy(out + at, payload, size);
    return at + size;
}

bool client_frame(uint8_t *bytes, size_t size, struct client_frame *out)
{
    size_t at = 2;

    if (size < 2)
        return false;
    out->first = bytes[0];
    assert_int_equal(bytes[0] & 0x70, 0);
    assert_int_equal(bytes[1] & 0x80, 0x80);
    out->payload_size = bytes[1] & 0x7f;
    assert_int_not_equal(out->payload_size, 127); /* none is so large */
    if (out->payload_size == 126) {
        if (size < 4)
            return false;
        out->payload_size = (size_t)bytes[2] << 8 | bytes[3];
        assert_true(out->payload_size >= 126);
        at = 4;
    }
    out->size = at + 4 + out->payload_size;
    if (size < out->size)
        return false;
    memcpy(out->mask, bytes + at, 4);
    out->payload = bytes + at + 4;
    for (size_t i = 0; i < out->payload_size; i++)
        out->payload[i] ^= out->mask[i % 4];
    return true;
}
