/*
 * sockets.c - options of sockets, and the stack of layers over them.
 */
#include "../../platform/layer.h"
#include "names_party.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct party party;
static struct landing landing;
static uint16_t port;

static int before_each(void **state)
{
    (void)state;
    port = 0;
    assert_true(landing_open(&landing, "127.0.0.2", &port));
    party_draft(&party, "127.0.0.2", port);
    party.config.retry_base_ms = 1;
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    party_free(&party);
    landing_close(&landing);
    return 0;
}

static void connect_it(void)
{
    party_connect(&party);
    party_until(&party, &landing, party.connected == 1);
}

static void expect_failure(enum mqtt_error error, const char *words)
{
    party_connect(&party);
    party_until(&party, &landing, party.disconnected > 0);
    assert_int_equal(party.error, error);
    if (!strstr(party.detail, words))
        fail_msg("\"%s\" says nothing of \"%s\"", party.detail, words);
    assert_int_equal(landing.count, 0);
}

static int option(int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    assert_int_equal(
        getsockopt(party_descriptor(&landing), level, name, &value, &size), 0);
    return value;
}

/* ---- options ---------------------------------------------------------------------- */

static void test_by_itself_nothing_is_set_but_nodelay(void **state)
{
    (void)state;
    connect_it();
    assert_int_not_equal(option(IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option(SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

static void test_nagle(void **state)
{
    (void)state;
    party.host.socket.nagle = true;
    connect_it();
    assert_int_equal(option(IPPROTO_TCP, TCP_NODELAY), 0);
}

static void test_keep_alive(void **state)
{
    (void)state;
    party.host.socket.keep_alive_idle_s = 11;
    party.host.socket.keep_alive_interval_s = 3;
    party.host.socket.keep_alive_count = 4;
    connect_it();
    assert_int_not_equal(option(SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPIDLE), 11);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPINTVL), 3);
    assert_int_equal(option(IPPROTO_TCP, TCP_KEEPCNT), 4);
}

static void test_user_timeout(void **state)
{
    (void)state;
    party.host.socket.user_timeout_ms = 7000;
    connect_it();
    assert_int_equal(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
}

/* The system has a smallest and a largest, and Linux doubles them. */
static void test_buffer_sizes(void **state)
{
    int send, receive;

    (void)state;
    connect_it();
    send = option(SOL_SOCKET, SO_SNDBUF);
    receive = option(SOL_SOCKET, SO_RCVBUF);
    party_free(&party);
    party.connected = 0;
    party.host.socket.send_buffer_size = 8192;
    party.host.socket.receive_buffer_size = 16384;
    connect_it();
    assert_in_range(option(SOL_SOCKET, SO_SNDBUF), 8192, 16384);
    assert_in_range(option(SOL_SOCKET, SO_RCVBUF), 16384, 32768);
    assert_true(send > 16384);
    assert_true(receive > 32768);
}

static void test_an_ipv4_source_address(void **state)
{
    (void)state;
    party.host.socket.source_address = "127.0.0.7";
    connect_it();
    assert_string_equal(landing.from, "127.0.0.7");
}

static void test_an_ipv6_source_address(void **state)
{
    (void)state;
    landing_close(&landing);
    if (!landing_open(&landing, "::1", &port)) {
        print_message("skip: no IPv6 on loopback\n");
        skip();
    }
    snprintf(party.address, sizeof party.address, "localhost");
    party.host.socket.source_address = "::1";
    connect_it();
    assert_string_equal(landing.from, "::1");
}

static void test_a_source_address_of_the_other_family(void **state)
{
    (void)state;
    party.host.socket.source_address = "::1";
    expect_failure(MQTT_ERR_NETWORK, "family");
}

static void test_a_source_address_against_the_family_option(void **state)
{
    (void)state;
    party.host.socket.source_address = "127.0.0.1";
    party.host.socket.family = MQTT_FAMILY_IPV6_ONLY;
    expect_failure(MQTT_ERR_NETWORK, "family");
}

static void test_a_source_address_of_somebody_else(void **state)
{
    (void)state;
    party.host.socket.source_address = "192.0.2.1";
    expect_failure(MQTT_ERR_NETWORK, "192.0.2.1");
}

static void test_a_source_address_that_is_none(void **state)
{
    (void)state;
    party.host.socket.source_address = "eth0";
    expect_failure(MQTT_ERR_NETWORK, "source address");
}

static void test_an_interface_that_is_not_there(void **state)
{
    (void)state;
    party.host.socket.interface_name = "nowhere9";
    expect_failure(MQTT_ERR_NETWORK, "nowhere9");
}

/* ---- layers ------------------------------------------------------------------------- */

/* One that moves a byte at a time, both ways, and counts. */
struct narrow {
    struct mqtt_layer_kind kind;
    unsigned inits, ends, opens, bytes;
    bool without_memory;
};

struct narrow_layer {
    struct mqtt_layer layer;
    struct narrow *kind;
};

static struct narrow *narrow_of(struct mqtt_transport *self)
{
    return ((struct narrow_layer *)self)->kind;
}

static void narrow_open(struct mqtt_transport *self,
                        const struct mqtt_server *server, mqtt_time now)
{
    narrow_of(self)->opens++;
    mqtt_layer_open(self, server, now);
}

static ptrdiff_t narrow_send(struct mqtt_transport *self, const void *bytes,
                             size_t size)
{
    (void)size;
    narrow_of(self)->bytes++;
    return mqtt_layer_send(self, bytes, 1);
}

static ptrdiff_t narrow_recv(struct mqtt_transport *self, void *bytes,
                             size_t size)
{
    (void)size;
    return mqtt_layer_recv(self, bytes, 1);
}

static const struct mqtt_transport_ops narrow_ops = {
    .open = narrow_open,
    .advance = mqtt_layer_advance,
    .recv = narrow_recv,
    .send = narrow_send,
    .flush = mqtt_layer_flush,
    .finish = mqtt_layer_finish,
    .close = mqtt_layer_close,
    .want = mqtt_layer_want,
    .ready = mqtt_layer_ready,
    .deadline = mqtt_layer_deadline,
    .error = mqtt_layer_error,
    .attach = mqtt_layer_attach,
    .lend = mqtt_layer_lend,
    .give_back = mqtt_layer_give_back,
    .count = mqtt_layer_count,
};

static size_t narrow_size(const struct mqtt_layer_kind *self)
{
    (void)self;
    return sizeof(struct narrow_layer);
}

static struct mqtt_layer *narrow_init(const struct mqtt_layer_kind *self,
                                      void *memory)
{
    struct narrow *kind = (struct narrow *)(uintptr_t)self;
    struct narrow_layer *layer = memory;

    if (kind->without_memory)
        return NULL;
    kind->inits++;
    *layer = (struct narrow_layer){.layer = {.transport = {&narrow_ops}},
                                   .kind = kind};
    return &layer->layer;
}

static void narrow_end(struct mqtt_layer *layer)
{
    layer->transport.ops->close(&layer->transport);
    narrow_of(&layer->transport)->ends++;
}

static struct narrow narrow_kind(void)
{
    return (struct narrow){
        .kind = {.size = narrow_size, .init = narrow_init, .end = narrow_end}};
}

static void use_url(const char *scheme)
{
    party.server.port = 0;
    snprintf(party.address, sizeof party.address, "%s://127.0.0.2:%u", scheme,
             (unsigned)port);
}

static void test_the_scheme_chooses_the_layers(void **state)
{
    static const struct {
        const char *scheme;
        unsigned tls, websocket;
    } rows[] = {{"mqtt", 0, 0}, {"mqtts", 1, 0}, {"ws", 0, 1}, {"wss", 1, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct narrow tls = narrow_kind(), websocket = narrow_kind();

        use_url(rows[i].scheme);
        party.host.tls = &tls.kind;
        party.host.websocket = &websocket.kind;
        party.connected = 0;
        connect_it();
        assert_int_equal(tls.opens, rows[i].tls);
        assert_int_equal(websocket.opens, rows[i].websocket);
        party_free(&party);
        assert_int_equal(tls.inits + websocket.inits, 2);
        assert_int_equal(tls.ends + websocket.ends, 2);
    }
}

/* A write that takes one byte, and a read that gives one. */
static void test_a_message_goes_byte_by_byte(void **state)
{
    struct narrow tls = narrow_kind();
    struct broker broker;
    static char payload[3000];

    (void)state;
    broker_begin(&broker, "");
    use_url("mqtts");
    snprintf(party.address, sizeof party.address, "mqtts://127.0.0.1:%u",
             broker.port);
    party.host.tls = &tls.kind;
    connect_it();
    memset(payload, 'x', sizeof payload);
    assert_int_equal(mqtt_publish(party.client, "byte/by/byte", payload,
                                  sizeof payload, MQTT_QOS_2, false),
                     MQTT_OK);
    assert_int_equal(mqtt_disconnect(party.client, 10000), MQTT_OK);
    turn_until(party.client, party.disconnected == 1);
    assert_int_equal(party.error, MQTT_OK);
    assert_true(tls.bytes > sizeof payload);
    party_free(&party);
    broker_end(&broker);
}

static void test_small_buffers_hold_nothing_up(void **state)
{
    struct broker broker;
    static char payload[30000];

    (void)state;
    broker_begin(&broker, "");
    snprintf(party.address, sizeof party.address, "mqtt://127.0.0.1:%u",
             broker.port);
    party.host.socket.send_buffer_size = 1;
    party.host.socket.receive_buffer_size = 1;
    party.host.sizes.outbox = 1 << 20;
    connect_it();
    for (int i = 0; i < 20; i++)
        assert_int_equal(mqtt_publish(party.client, "small/buffers", payload,
                                      sizeof payload, MQTT_QOS_1, false),
                         MQTT_OK);
    assert_int_equal(mqtt_disconnect(party.client, 10000), MQTT_OK);
    turn_until(party.client, party.disconnected == 1);
    assert_int_equal(party.error, MQTT_OK);
    party_free(&party);
    broker_end(&broker);
}

static enum mqtt_error refusal(void)
{
    enum mqtt_error error = MQTT_OK;

    assert_null(mqtt_client_new(&party.config, &party.host, &error));
    return error;
}

static void test_a_layer_that_is_not_there_is_refused(void **state)
{
    struct narrow kind = narrow_kind();

    (void)state;
    use_url("mqtts");
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    use_url("ws");
    party.host.tls = &kind.kind;
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    use_url("wss");
    party.host.tls = NULL;
    party.host.websocket = &kind.kind;
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    use_url("http");
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    assert_int_equal(kind.inits, 0);
}

static void test_without_memory_for_a_layer_there_is_no_client(void **state)
{
    struct narrow tls = narrow_kind(), websocket = narrow_kind();

    (void)state;
    use_url("wss");
    party.host.tls = &tls.kind;
    party.host.websocket = &websocket.kind;
    websocket.without_memory = true;
    assert_int_equal(refusal(), MQTT_ERR_MEMORY);
    assert_int_equal(tls.inits, 1);
    assert_int_equal(tls.ends, 1);
}

static enum mqtt_error to_tls(void *context,
                              struct mqtt_connect_options *options,
                              struct mqtt_server *server)
{
    (void)context;
    (void)options;
    server->address = "mqtts://127.0.0.2";
    server->port = port;
    return MQTT_OK;
}

/* Not in plain text, whoever asks for it later. */
static void test_what_asks_for_tls_later_never_goes_without(void **state)
{
    struct narrow websocket = narrow_kind();

    (void)state;
    party.config.before_connect = to_tls;
    expect_failure(MQTT_ERR_SERVER, "TLS");
    party_free(&party);
    party.disconnected = 0;
    party.host.websocket = &websocket.kind;
    expect_failure(MQTT_ERR_SERVER, "TLS");
    party_free(&party);
}

/* ---- users ---------------------------------------------------------------------------- */

static void test_the_user_of_the_url(void **state)
{
    struct broker broker;

    (void)state;
    broker_begin(&broker, "s@c:t/");
    snprintf(party.address, sizeof party.address,
             "mqtt://user:s%%40c%%3at%%2F@127.0.0.1:%u", broker.port);
    party_connect(&party);
    memset(party.address, 'x', sizeof party.address - 1); /* it was copied */
    turn_until(party.client, party.connected == 1);
    party_free(&party);
    broker_end(&broker);
}

static void test_users_that_differ_are_refused(void **state)
{
    struct mqtt_server servers[2] = {{"mqtt://a:b@h", 0}, {"mqtt://a:b@i", 0}};
    struct mqtt_client *client;

    (void)state;
    party.config.servers = servers;
    party.config.server_count = 2;
    client = mqtt_client_new(&party.config, &party.host, NULL);
    assert_non_null(client);
    mqtt_client_free(client);
    servers[1].address = "mqtt://i";
    client = mqtt_client_new(&party.config, &party.host, NULL);
    assert_non_null(client);
    mqtt_client_free(client);
    servers[1].address = "mqtt://a:c@i";
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    servers[1].address = "mqtt://a@i";
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    servers[0].address = "mqtt://h";
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
}

static void test_half_an_escape_in_a_user_is_refused(void **state)
{
    (void)state;
    snprintf(party.address, sizeof party.address, "mqtt://a%%4:b@h");
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
    snprintf(party.address, sizeof party.address, "mqtt://a:%%zz@h");
    assert_int_equal(refusal(), MQTT_ERR_SERVER);
}

/* Longer than any field of MQTT: the client's own all the same. */
static void test_text_of_any_length_is_copied(void **state)
{
    const size_t size = 70000;
    char *address = test_malloc(size + 1);

    (void)state;
    memset(address, 'a', size);
    address[size] = 0;
    party.server = (struct mqtt_server){address, 0};
    party_connect(&party);
    memset(address, 'b', size);
    party_until(&party, &landing, party.disconnected);
    test_free(address);
    assert_int_equal(party.error, MQTT_ERR_SERVER);
    assert_int_equal(party.detail[0], 'a');
}

static void test_a_password_is_in_no_error(void **state)
{
    (void)state;
    landing_close(&landing);
    snprintf(party.address, sizeof party.address,
             "mqtt://user:secret@127.0.0.2:%u", (unsigned)port);
    expect_failure(MQTT_ERR_NETWORK, "127.0.0.2");
    assert_null(strstr(party.detail, "secret"));
    party_free(&party);
    party.disconnected = 0;
    snprintf(party.address, sizeof party.address,
             "mqtt://user:secret@1.2.3.256:%u", (unsigned)port);
    expect_failure(MQTT_ERR_SERVER, "1.2.3.256");
    assert_null(strstr(party.detail, "secret"));
}

/* ---- closing --------------------------------------------------------------------------- */

static void test_freed_in_the_callback_of_a_closed_connection(void **state)
{
    (void)state;
    connect_it();
    party.free_when_disconnected = true;
    landing_cut(&landing);
    party_until(&party, &landing, party.disconnected == 1);
    assert_null(party.client);
}

static int say_longest_turn(void **state)
{
    (void)state;
    print_message("the longest turn: %lu us\n", turns_longest_us());
    return 0;
}

#define test(function)                                                         \
    cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_by_itself_nothing_is_set_but_nodelay),
        test(test_nagle),
        test(test_keep_alive),
        test(test_user_timeout),
        test(test_buffer_sizes),
        test(test_an_ipv4_source_address),
        test(test_an_ipv6_source_address),
        test(test_a_source_address_of_the_other_family),
        test(test_a_source_address_against_the_family_option),
        test(test_a_source_address_of_somebody_else),
        test(test_a_source_address_that_is_none),
        test(test_an_interface_that_is_not_there),
        test(test_the_scheme_chooses_the_layers),
        test(test_a_message_goes_byte_by_byte),
        test(test_small_buffers_hold_nothing_up),
        test(test_a_layer_that_is_not_there_is_refused),
        test(test_without_memory_for_a_layer_there_is_no_client),
        test(test_what_asks_for_tls_later_never_goes_without),
        test(test_the_user_of_the_url),
        test(test_users_that_differ_are_refused),
        test(test_half_an_escape_in_a_user_is_refused),
        test(test_text_of_any_length_is_copied),
        test(test_a_password_is_in_no_error),
        test(test_freed_in_the_callback_of_a_closed_connection),
    };

    return cmocka_run_group_tests_name("sockets", tests, NULL,
                                       say_longest_turn);
}
