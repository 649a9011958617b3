/*
 * A machine without memory: the layer is built with a malloc() that fails when
 * it is told to.
 */
#include "tls_client.h"

static bool is_scarce;
static unsigned failures;

/* What the layer calls, see meson.build. */
void *scarce_malloc(size_t size);
void *scarce_malloc(size_t size)
{
    if (!is_scarce)
        return calloc(1, size);
    failures++;
    return NULL;
}

static struct client *connected(struct peer *peer)
{
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    client_connect(c);
    wait_for(c, c->connected == 1);
    return c;
}

/* The connection ended, with words for it, and without asking again and again;
 * with memory the next one is good. */
static void expect_end(struct client *c)
{
    is_scarce = true;
    for (unsigned turns = 0; !c->disconnected; turns++) {
        assert_in_range(turns, 0, 20);
        client_turn(c, 20);
    }
    is_scarce = false;
    assert_in_range(failures, 1, 3);
    failures = 0;
    assert_int_equal(c->error, MQTT_ERR_TLS);
    assert_non_null(strstr(c->detail, "memory"));
    wait_for(c, c->connected == 2);
}

static atomic_bool may_speak, has_spoken;

static void speak(struct line *line)
{
    static const uint8_t publish[] = {0x30, 4, 0, 1, 't', 'x'};

    line_serve(line, 1);
    while (!may_speak && !line_peer(line)->stop)
        moment();
    line_write(line, publish, sizeof(publish));
    has_spoken = true;
    line_serve(line, UINT32_MAX);
}

static void none_for_what_has_come(void **state)
{
    const struct peer_options options = {.once = true, .serve = speak};
    struct peer *peer = peer_begin(&options);
    struct client *c = connected(peer);

    (void)state;
    may_speak = true;
    while (!has_spoken)
        moment();
    expect_end(c);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

static void none_for_what_is_to_leave(void **state)
{
    struct peer *peer = peer_begin(NULL);
    struct client *c = connected(peer);

    (void)state;
    assert_int_equal(mqtt_publish(&c->mqtt, "a", "b", 1, MQTT_QOS_1, false),
                     MQTT_OK);
    expect_end(c);
    wait_for(c, c->published == 1);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

/* ---- OpenSSL's own memory ------------------------------------------------- */

/* Allocations of this thread until one fails; negative: none does. */
static _Thread_local long left = -1;

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

static void *allocate(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : calloc(1, size);
}

static void *allocate_anew(void *memory, size_t size, const char *file,
                           int line)
{
    (void)file, (void)line;
    return fails() ? NULL : realloc(memory, size);
}

static void give_back(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

#define ALLOCATIONS 300

/* Whichever it is, at worst the connection ends, and the next one is good. */
static void none_for_one_allocation_of_openssl(void **state)
{
    struct peer *peer = peer_begin(NULL);
    struct client *c = connected(peer);

    (void)state;
    for (long i = 0; i < ALLOCATIONS; i++) {
        unsigned before = c->connected, published = c->published;

        client_disconnect(c);
        client_connect(c);
        left = i;
        wait_for(c, c->connected > before);
        assert_int_equal(left, -1); /* one has failed */
        assert_int_equal(mqtt_publish(&c->mqtt, "a", "b", 1, MQTT_QOS_1, false),
                         MQTT_OK);
        wait_for(c, c->published > published);
    }
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_for_what_has_come),
        cmocka_unit_test(none_for_what_is_to_leave),
        cmocka_unit_test(none_for_one_allocation_of_openssl),
    };

    if (!CRYPTO_set_mem_functions(allocate, allocate_anew, give_back)) {
        print_error("OpenSSL has allocated before\n");
        return 1;
    }

    return RUN_TESTS(argc, argv, "tls_memory", tests);
}
