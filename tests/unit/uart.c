/*
 * uart.c - the frames of a serial line, byte by byte, over a line in memory.
 */
#include "script.h"

#include <mqttloop/uart.h>

struct line {
    struct mqtt_pipe base;
    uint8_t in[1024], out[1024];
    size_t in_size, in_taken, out_size;
    size_t room, most; /* bytes that a write takes yet; that a read gives */
    bool endless;      /* zeros, for ever: a line that is held */
    unsigned refusals, wakes;
};

static size_t line_read(struct mqtt_pipe *self, void *bytes, size_t size)
{
    struct line *l = (struct line *)self;
    size_t there = l->in_size - l->in_taken;

    if (l->endless) {
        memset(bytes, 0, size);
        return size;
    }
    if (size > there)
        size = there;
    if (size > l->most)
        size = l->most;
    memcpy(bytes, l->in + l->in_taken, size);
    l->in_taken += size;
    return size;
}

static size_t line_room(struct mqtt_pipe *self, size_t wanted)
{
    struct line *l = (struct line *)self;

    l->refusals += l->room < wanted;
    return l->room;
}

static void line_write(struct mqtt_pipe *self, const void *bytes, size_t size)
{
    struct line *l = (struct line *)self;

    assert_true(size <= l->room);
    assert_true(l->out_size + size <= sizeof(l->out));
    memcpy(l->out + l->out_size, bytes, size);
    l->out_size += size;
    l->room -= size;
}

struct device {
    struct line line;
    struct mqtt_uart uart;
    struct mqtt_transport *t;
    struct mqtt_server server;
};

static void arrives_span(struct device *d, const void *bytes, size_t size)
{
    assert_true(d->line.in_size + size <= sizeof(d->line.in));
    memcpy(d->line.in + d->line.in_size, bytes, size);
    d->line.in_size += size;
}

#define arrives(d, ...)                                                        \
    arrives_span(d, (const uint8_t[]){__VA_ARGS__},                            \
                 sizeof((const uint8_t[]){__VA_ARGS__}))

static void expect_out(struct device *d, const void *bytes, size_t size)
{
    assert_int_equal(d->line.out_size, size);
    assert_memory_equal(d->line.out, bytes, size);
    d->line.out_size = 0;
}

#define expect_written(d, ...)                                                 \
    expect_out(d, (const uint8_t[]){__VA_ARGS__},                              \
               sizeof((const uint8_t[]){__VA_ARGS__}))

static void line_wakes(void *context)
{
    ((struct line *)context)->wakes++;
}

static void device_begin(struct device *d)
{
    memset(d, 0, sizeof(*d));
    d->line.base =
        (struct mqtt_pipe){line_read, line_room, line_write, NULL, NULL};
    d->line.room = SIZE_MAX;
    d->line.most = SIZE_MAX;
    mqtt_uart_init(&d->uart, &d->line.base, line_wakes, &d->line);
    d->t = &d->uart.transport;
    d->server = (struct mqtt_server){"h", 0x1234};
}

/* The first bytes of a connection: 256 zeros, then what is asked for. */
static void expect_dialled(struct device *d, uint8_t id)
{
    const uint8_t request[] = {'C', id, 0x12, 0x34, 1, 'h'};
    uint8_t expected[256 + sizeof(request)] = {0};

    memcpy(expected + 256, request, sizeof(request));
    expect_out(d, expected, sizeof(expected));
}

static void device_up(struct device *d)
{
    device_begin(d);
    d->t->ops->open(d->t, &d->server, 0);
    assert_int_equal(d->t->ops->advance(d->t, 0), MQTT_TRANSPORT_OPENING);
    expect_dialled(d, 1);
    arrives(d, 0, 0, 0, 'U', 1);
    assert_int_equal(d->t->ops->advance(d->t, 0), MQTT_TRANSPORT_OPEN);
}

static void expect_received(struct device *d, const char *text)
{
    char got[64];
    size_t size = 0;
    ptrdiff_t n;

    while ((n = d->t->ops->recv(d->t, got + size, sizeof(got) - size)) > 0)
        size += (size_t)n;
    assert_int_equal(n, MQTT_IO_WAIT);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, size);
}

static void test_what_is_asked_for_goes_out_as_there_is_room(void **state)
{
    struct device d;

    (void)state;
    device_begin(&d);
    d.line.room = 0;
    d.t->ops->open(d.t, &d.server, 0);
    for (int i = 0; i < 53; i++) {
        assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
        d.line.room = 5;
    }
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
    assert_true(d.line.refusals >
                50); /* so the line knows that it is to wake */
    expect_dialled(&d, 1);
}

static void test_a_frame_is_never_begun_without_room_for_it(void **state)
{
    struct device d;
    uint8_t many[300] = {7};

    (void)state;
    device_up(&d);
    assert_int_equal(d.t->ops->send(d.t, "hey", 3), 3);
    expect_written(&d, 3, 'h', 'e', 'y');
    d.line.room = 3;
    assert_int_equal(d.t->ops->send(d.t, "hey", 3), 2);
    expect_written(&d, 2, 'h', 'e');
    d.line.room = 1;
    assert_int_equal(d.t->ops->send(d.t, "y", 1), MQTT_IO_WAIT);
    assert_int_equal(d.line.out_size, 0);
    d.line.room = SIZE_MAX;
    assert_int_equal(d.t->ops->send(d.t, many, sizeof(many)), 255);
    assert_int_equal(d.line.out_size, 256);
    assert_int_equal(d.line.out[0], 255);
}

static void test_data_comes_whole_and_byte_by_byte(void **state)
{
    struct device d;

    (void)state;
    for (size_t most = 1; most <= 3; most++) {
        device_up(&d);
        d.line.most = most;
        arrives(&d, 3, 'a', 'b', 'c', 1, 'd', 0, 0, 'D');
        expect_received(&d, "abcd");
        arrives(&d, 1, 'E');
        assert_int_equal(d.t->ops->recv(d.t, (char[1]){0}, 1), MQTT_IO_END);
    }
}

static void test_why_there_is_no_connection_is_told_apart(void **state)
{
    static const struct {
        char why;
        enum mqtt_error error;
        const char *detail;
    } cases[] = {
        {'R', MQTT_ERR_NETWORK, "connection refused"},
        {'N', MQTT_ERR_NAME, "no such name"},
        {'E', MQTT_ERR_NETWORK, "ended while connecting"},
        {'F', MQTT_ERR_NETWORK, "the bridge lost the connection"},
        {0, MQTT_ERR_NETWORK, "the bridge lost the connection"},
    };
    struct device d;
    const char *detail;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        device_begin(&d);
        d.t->ops->open(d.t, &d.server, 0);
        arrives(&d, 0, 'D', 1, (uint8_t)cases[i].why);
        assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_FAILED);
        assert_int_equal(d.t->ops->error(d.t, &detail), cases[i].error);
        assert_string_equal(detail, cases[i].detail);
    }
}

static void test_what_is_no_host_is_told(void **state)
{
    char address[257];
    struct device d;
    const char *detail;

    (void)state;
    memset(address, 'h', 256);
    address[256] = '\0';
    for (int i = 0; i < 3; i++) {
        device_begin(&d);
        d.server.address = i == 0 ? address : i == 1 ? "" : NULL;
        d.t->ops->open(d.t, &d.server, 0);
        assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_FAILED);
        assert_int_equal(d.t->ops->error(d.t, &detail), MQTT_ERR_SERVER);
        assert_int_equal(d.line.out_size, 0);
    }
}

static void test_what_comes_late_is_not_of_the_next_connection(void **state)
{
    struct device d;

    (void)state;
    device_up(&d);
    d.t->ops->close(d.t);
    expect_written(&d, 0, 'X', 1);
    d.t->ops->open(d.t, &d.server, 0);
    arrives(&d, 2, 'o', 'l', 0, 'D', 1, 'E', 0, 'U', 1);
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
    expect_dialled(&d, 2);
    for (int i = 0; i < 256; i++)
        arrives(&d, 0);
    arrives(&d, 'U', 2, 3, 'n', 'e', 'w');
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPEN);
    expect_received(&d, "new");
}

static void test_an_end_that_comes_late_hides_no_refusal(void **state)
{
    struct device d;
    const char *detail;

    (void)state;
    device_up(&d);
    d.t->ops->close(d.t);
    d.t->ops->open(d.t, &d.server, 0);
    arrives(&d, 0, 'D', 1, 'E', 0, 'D', 2, 'R');
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_FAILED);
    assert_int_equal(d.t->ops->error(d.t, &detail), MQTT_ERR_NETWORK);
    assert_string_equal(detail, "connection refused");
}

static void test_a_bridge_that_begins_anew_ends_what_is_up(void **state)
{
    struct device d;
    const char *detail;

    (void)state;
    device_begin(&d);
    d.t->ops->open(d.t, &d.server, 0);
    arrives(&d, 0, 'D', 0, 'F'); /* it began after the line */
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
    arrives(&d, 0, 'U', 1, 9, 'h', 'a', 'l', 'f');
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPEN);
    expect_received(&d, "half");
    for (int i = 0; i < 256; i++)
        arrives(&d, 0);
    arrives(&d, 'D', 0, 'F');
    assert_int_equal(d.t->ops->recv(d.t, (char[8]){0}, 8), 5);
    assert_int_equal(d.t->ops->recv(d.t, (char[8]){0}, 8), MQTT_IO_FAILED);
    assert_int_equal(d.t->ops->error(d.t, &detail), MQTT_ERR_NETWORK);
}

static void test_no_connection_has_the_number_of_all(void **state)
{
    struct device d;

    (void)state;
    device_begin(&d);
    for (unsigned id = 1; id <= 255; id++)
        d.t->ops->open(d.t, &d.server, 0);
    d.t->ops->open(d.t, &d.server, 0);
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
    expect_dialled(&d, 1);
}

static void test_a_line_without_end_leaves_others_their_turn(void **state)
{
    struct device d;

    (void)state;
    device_up(&d);
    d.line.endless = true;
    assert_int_equal(d.t->ops->recv(d.t, (char[1]){0}, 1), MQTT_IO_WAIT);
    assert_int_equal(d.line.wakes, 1);
    d.t->ops->close(d.t);
    d.t->ops->open(d.t, &d.server, 0);
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPENING);
    assert_int_equal(d.line.wakes, 2);
}

static void test_zeros_bring_it_back_into_step(void **state)
{
    struct device d;

    (void)state;
    device_begin(&d);
    d.t->ops->open(d.t, &d.server, 0);
    arrives(&d, 255, 1, 2, 3); /* a frame whose writer ended */
    for (int i = 0; i < 256; i++)
        arrives(&d, 0);
    arrives(&d, 'U', 1, 2, 'o', 'k');
    assert_int_equal(d.t->ops->advance(d.t, 0), MQTT_TRANSPORT_OPEN);
    expect_received(&d, "ok");
}

static void test_the_end_is_said_when_there_is_room(void **state)
{
    struct device d;

    (void)state;
    device_up(&d);
    d.line.room = 2;
    d.t->ops->finish(d.t);
    assert_int_equal(d.t->ops->flush(d.t), MQTT_IO_WAIT);
    assert_int_equal(d.line.out_size, 0);
    d.line.room = 3;
    assert_int_equal(d.t->ops->flush(d.t), 0);
    expect_written(&d, 0, 'F', 1);
    assert_int_equal(d.t->ops->flush(d.t), 0);
    assert_int_equal(d.line.out_size, 0);
    d.t->ops->close(d.t);
    d.t->ops->close(d.t); /* no effect */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_for_goes_out_as_there_is_room),
        cmocka_unit_test(test_a_frame_is_never_begun_without_room_for_it),
        cmocka_unit_test(test_data_comes_whole_and_byte_by_byte),
        cmocka_unit_test(test_why_there_is_no_connection_is_told_apart),
        cmocka_unit_test(test_what_is_no_host_is_told),
        cmocka_unit_test(test_what_comes_late_is_not_of_the_next_connection),
        cmocka_unit_test(test_an_end_that_comes_late_hides_no_refusal),
        cmocka_unit_test(test_a_bridge_that_begins_anew_ends_what_is_up),
        cmocka_unit_test(test_no_connection_has_the_number_of_all),
        cmocka_unit_test(test_a_line_without_end_leaves_others_their_turn),
        cmocka_unit_test(test_zeros_bring_it_back_into_step),
        cmocka_unit_test(test_the_end_is_said_when_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
