/*
 * What happens on the wire: stalls, cuts, floods, little by little; and what
 * TLS keeps inside while the descriptor is quiet.
 */
#include "tls_client.h"

#include <assert.h>
#include <malloc.h>

static void publish(struct client *c, size_t size, enum mqtt_qos qos)
{
    char *payload = calloc(1, size + 1);

    assert_int_equal(
        mqtt_publish(&c->mqtt, "a/topic", payload, size, qos, false), MQTT_OK);
    free(payload);
}

/* It works: one message there, its acknowledgement back. */
static void round_trip(struct client *c)
{
    unsigned before = c->published;

    publish(c, 10, MQTT_QOS_1);
    wait_for(c, c->published > before);
}

/* The first connection ends so, the next one is good. */
static void expect_end(const struct peer_options *options,
                       enum mqtt_error error, const char *words)
{
    struct peer *peer = peer_begin(options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    assert_true(options->once);
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    if (c->error != error || !strstr(c->detail, words))
        fail_msg("%s: %s", mqtt_error_text(c->error), c->detail);
    assert_int_equal(c->messages, 0);
    wait_for(c, mqtt_client_state(&c->mqtt) == MQTT_CLIENT_CONNECTED);
    assert_int_equal(peer->connects, 2);
    round_trip(c);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

/* ---- stalls ------------------------------------------------------------------- */

/* Bytes that a server says until it wants to hear the last of the client. */
static size_t flight_of(int version)
{
    const struct peer_options options = {.maximum = version};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);
    size_t flight;

    client_connect(c);
    wait_for(c, c->connected == 1);
    flight = peer->flight;
    client_free(c);
    peer_end(peer);
    assert_in_range(flight, 500, 5000);
    return flight;
}

static void stall_after(size_t limit, int version)
{
    const struct peer_options options = {.maximum = version, .limit = limit};
    struct peer *bad = peer_begin(&options), *good = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", bad->port, NULL);
    uint64_t began = milliseconds();

    c->config.server_count = 2;
    c->config.open_timeout_ms = 120;
    c->servers[1] = (struct mqtt_server){"127.0.0.1", good->port};
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_OPEN_TIMEOUT);
    assert_in_range(milliseconds() - began, 119, 2000);
    assert_int_equal(bad->received, 0);
    c->config.open_timeout_ms = 5000;
    wait_for(c, c->connected == 1);
    client_disconnect(c);
    client_free(c);
    peer_end(bad);
    peer_end(good);
}

static void a_handshake_that_stalls_at_each_step(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        size_t flight = flight_of(version);

        for (size_t part = 0; part < 6; part++)
            stall_after(part ? flight * part / 6 : 1, version);
        stall_after(flight - 8, version); /* signatures differ in size */
        if (version == TLS1_2_VERSION)
            stall_after(flight + 20, version); /* amid the server's Finished */
    }
}

/* ---- ends ------------------------------------------------------------------------ */

static void cut_after_connack(struct line *line)
{
    line_serve(line, 1);
    line_cut(line);
}

static void an_end_without_close_notify(void **state)
{
    const struct peer_options options = {.once = true,
                                         .serve = cut_after_connack};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS_TRUNCATED, "without close_notify");
}

static const uint8_t half_a_publish[] = {0x30, 100, 0, 1, 't', 'x', 'y', 'z'};

static void cut_amid_record(struct line *line)
{
    uint8_t publish[102] = {0x30, 100, 0, 1, 't'};

    line_serve(line, 1);
    SSL_write(line_ssl(line), publish, sizeof(publish));
    line_push(line, 60);
    line_cut(line);
}

static void truncation_amid_a_record(void **state)
{
    const struct peer_options options = {.once = true,
                                         .serve = cut_amid_record};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS_TRUNCATED, "without close_notify");
}

static void cut_amid_packet(struct line *line)
{
    line_serve(line, 1);
    line_write(line, half_a_publish, sizeof(half_a_publish));
    line_cut(line);
}

static void truncation_amid_a_packet(void **state)
{
    const struct peer_options options = {.once = true,
                                         .serve = cut_amid_packet};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS_TRUNCATED, "without close_notify");
}

static void end_amid_packet(struct line *line)
{
    line_serve(line, 1);
    line_write(line, half_a_publish, sizeof(half_a_publish));
    SSL_shutdown(line_ssl(line));
    line_push(line, 0);
    line_cut(line);
}

static void a_clean_end_is_told_apart(void **state)
{
    const struct peer_options options = {.once = true,
                                         .serve = end_amid_packet};

    (void)state;
    expect_end(&options, MQTT_ERR_CLOSED, "");
}

static void an_end_amid_the_handshake(void **state)
{
    const struct peer_options options = {.once = true, .raw = ""};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS, "amid the handshake");
}

static void a_server_that_does_not_speak_tls(void **state)
{
    struct peer_options options = {.once = true,
                                   .raw = "HTTP/1.1 400 Bad Request\r\n\r\n"};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS, "not TLS");
    options.raw = "\x20\x02"; /* too little for a record */
    expect_end(&options, MQTT_ERR_TLS, "amid the handshake");
}

static void send_garbage(struct line *line)
{
    line_serve(line, 1);
    line_send(line, "\x17\x03\x03\0\x20 0123456789012345678901234567890123",
              40);
    line_pause(line, 3000);
}

static void a_record_that_was_changed_on_the_way(void **state)
{
    const struct peer_options options = {.once = true, .serve = send_garbage};

    (void)state;
    expect_end(&options, MQTT_ERR_TLS, "bad record mac");
}

/* Data and, in the same piece, something that ends the connection: the data
 * came first. */
static void say_and_send_garbage(struct line *line)
{
    static const uint8_t publish[] = {0x30, 4, 0, 1, 't', 'x'};
    static const char garbage[] = "\x17\x03\x03\0\x20"
                                  "0123456789012345678901234567890123";
    unsigned char *bytes;
    char both[512];
    size_t size;

    line_serve(line, 1);
    SSL_write(line_ssl(line), publish, sizeof(publish));
    size = (size_t)BIO_get_mem_data(SSL_get_wbio(line_ssl(line)), &bytes);
    assert(size + 37 <= sizeof(both));
    memcpy(both, bytes, size);
    memcpy(both + size, garbage, 37);
    line_send(line, both, size + 37);
    line_pause(line, 3000);
}

static void what_came_before_a_fault_is_given(void **state)
{
    const struct peer_options options = {.once = true,
                                         .serve = say_and_send_garbage};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS);
    assert_non_null(strstr(c->detail, "bad record mac"));
    assert_int_equal(c->messages, 1);
    client_free(c);
    peer_end(peer);
}

/* We say why we go, in both ways of going. */
static void close_notify_is_sent(void **state)
{
    struct peer *peer = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, c->connected == 1);
    client_disconnect(c);
    wait_for(c, peer->notified == 1);
    client_connect(c);
    wait_for(c, c->connected == 2);
    client_free(c);
    for (int i = 0; peer->notified < 2 && i < 1000; i++)
        moment();
    assert_int_equal(peer->notified, 2);
    peer_end(peer);
}

/* ---- floods ------------------------------------------------------------------------- */

static atomic_uint wishes; /* to renegotiate, sent */

static void send_tickets(struct line *line, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!SSL_new_session_ticket(line_ssl(line)) ||
            SSL_do_handshake(line_ssl(line)) != 1 || !line_push(line, 0))
            return;
}

static void send_key_updates(struct line *line, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!SSL_key_update(line_ssl(line), SSL_KEY_UPDATE_REQUESTED) ||
            SSL_do_handshake(line_ssl(line)) != 1 || !line_push(line, 0))
            return;
}

static void flood_with_tickets(struct line *line)
{
    line_serve(line, 1);
    send_tickets(line, 20000);
    line_serve(line, 1);
}

static void flood_with_key_updates(struct line *line)
{
    line_serve(line, 1);
    send_key_updates(line, 20000);
    line_serve(line, 1);
}

/* Of TLS 1.2: wishes to renegotiate, none of which awaits an answer. */
static void flood_with_hello_requests(struct line *line)
{
    line_serve(line, 1);
    for (unsigned i = 0; i < 20000; i++)
        if (!SSL_renegotiate(line_ssl(line)) ||
            SSL_do_handshake(line_ssl(line)) != 1 || !line_push(line, 0))
            break;
        else
            atomic_fetch_add(&wishes, 1);
    line_serve(line, 1);
}

static void floods_end_the_connection(void **state)
{
    struct peer_options options = {.once = true, .serve = flood_with_tickets};
    size_t before = mallinfo2().uordblks;

    (void)state;
    expect_end(&options, MQTT_ERR_TLS, "flood");
    options.serve = flood_with_key_updates;
    expect_end(&options, MQTT_ERR_TLS, "flood");
    options.maximum = TLS1_2_VERSION;
    options.serve = flood_with_hello_requests;
    expect_end(&options, MQTT_ERR_TLS, "flood");
    assert_true(wishes > 10);
    /* what OpenSSL keeps for the next time included */
    assert_in_range(mallinfo2().uordblks, 0, before + 500000);
}

static void be_talkative(struct line *line)
{
    line_serve(line, 1);
    for (int i = 0; i < 20; i++) {
        send_tickets(line, 2);
        send_key_updates(line, 2);
        line_pause(line, 5);
        if (!line_serve(line, 1))
            return;
    }
    line_serve(line, UINT32_MAX);
}

/* Far more in all than a flood, but with data between. */
static void tickets_and_key_updates_are_taken(void **state)
{
    const struct peer_options options = {.serve = be_talkative};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, c->connected == 1);
    for (int i = 0; i < 25; i++)
        round_trip(c);
    assert_int_equal(c->disconnected, 0);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

/* A wish to renegotiate is refused by a warning; the handshake that was is the
 * only one. */
static void want_renegotiation(struct line *line)
{
    line_serve(line, 1);
    SSL_renegotiate(line_ssl(line));
    SSL_do_handshake(line_ssl(line));
    line_push(line, 0);
    line_serve(line, 1);
}

static void renegotiation_is_refused(void **state)
{
    const struct peer_options options = {.maximum = TLS1_2_VERSION,
                                         .serve = want_renegotiation};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, peer->alert == SSL_AD_NO_RENEGOTIATION);
    assert_int_equal(peer->handshakes, 1);
    assert_int_equal(c->statistics.tls_handshakes, 1);
    client_free(c);
    peer_end(peer);
}

/* ---- little by little ------------------------------------------------------------- */

static void one_byte_at_a_time(void **state)
{
    struct peer_options options = {.piece = 1};

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct peer *peer;
        struct client *c;

        options.maximum = version;
        peer = peer_begin(&options);
        c = client_new("127.0.0.1", peer->port, NULL);
        c->send_size = 1;
        client_connect(c);
        wait_for(c, c->connected == 1);
        publish(c, 1000, MQTT_QOS_1);
        wait_for(c, c->published == 1);
        assert_in_range(c->sends, 1000, UINT32_MAX);
        client_disconnect(c);
        client_free(c);
        peer_end(peer);
    }
}

/* What TLS took and the network does not take is bounded, and leaves as soon
 * as it can, though the client has nothing more to write. */
static void a_network_that_takes_nothing_for_a_while(void **state)
{
    struct peer *peer = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);
    size_t before;

    (void)state;
    client_connect(c);
    wait_for(c, c->connected == 1);
    before = peer->received;
    c->blocked = true;
    for (int i = 0; i < 100; i++)
        publish(c, 3000, MQTT_QOS_0);
    client_turn(c, 0);
    /* 100 * 3,011 bytes less what waits inside TLS */
    assert_in_range(c->statistics.bytes_sent, 0, 40000);
    c->blocked = false;
    wait_for(c, peer->received == before + 100 * 3012);
    round_trip(c);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

/* ---- readiness ----------------------------------------------------------------------- */

#define QUIET 20

static void send_many_in_one_record(struct line *line)
{
    uint8_t all[QUIET * 40] = {0};

    for (int i = 0; i < QUIET; i++) {
        static const uint8_t head[] = {0x32, 38, 0, 1, 't', 0};

        memcpy(all + i * 40, head, sizeof(head));
        all[i * 40 + 6] = (uint8_t)(i + 1);
    }
    line_serve(line, 1);
    line_write(line, all, sizeof(all));
    line_serve(line, UINT32_MAX);
}

static uint32_t handle;

static void remember(struct mqtt_client *mqtt,
                     const struct mqtt_message *message, void *context)
{
    struct client *c = context;

    (void)mqtt;
    handle = message->settle_handle;
    c->messages++;
}

/* All of them lie inside TLS, the socket is empty and stays so; the client
 * takes the next when it has settled the last. */
static void bytes_inside_tls_while_the_descriptor_is_quiet(void **state)
{
    const struct peer_options options = {.serve = send_many_in_one_record};
    struct peer *peer = peer_begin(&options);
    struct mqtt_tls_options usual = {.ca.file = certificate("ca.pem")};
    struct client *c = client_draft("127.0.0.1", peer->port, &usual);
    struct mqtt_unsettled unsettled[1];

    (void)state;
    c->config.settle = MQTT_SETTLE_BY_CALL;
    c->config.on_message = remember;
    c->memory.unsettled = unsettled;
    c->memory.unsettled_count = 1;
    c->memory.input_size = 64;
    client_ready(c);
    client_connect(c);
    for (unsigned i = 1; i <= QUIET; i++) {
        wait_for(c, c->messages == i);
        client_turn(c, 5);
        assert_int_equal(c->messages, i);
        assert_int_equal(mqtt_settle(&c->mqtt, handle, MQTT_REASON_SUCCESS),
                         MQTT_OK);
    }
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

/* A ticket of several records. */
static int long_ticket(SSL *ssl, void *context)
{
    static const char much[1200];

    (void)context;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much,
                                           sizeof(much));
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session,
                                     const unsigned char *name, size_t size,
                                     SSL_TICKET_STATUS status, void *context)
{
    (void)ssl, (void)session, (void)name, (void)size, (void)status;
    (void)context;
    return SSL_TICKET_RETURN_IGNORE;
}

static void short_records(SSL_CTX *context)
{
    SSL_CTX_set_max_send_fragment(context, 512);
    SSL_CTX_set_session_ticket_cb(context, long_ticket, take_ticket, NULL);
}

static atomic_bool half_is_out, rest_may_go;

static void send_half_a_ticket(struct line *line)
{
    line_serve(line, 1);
    SSL_new_session_ticket(line_ssl(line));
    SSL_do_handshake(line_ssl(line));
    line_push(line, line_record(line));
    half_is_out = true;
    while (!rest_may_go && !line_peer(line)->stop)
        moment();
    line_push(line, 0);
    line_serve(line, UINT32_MAX);
}

/* OpenSSL refuses to write while it has half a message of TLS; what it waits
 * for is something to read, and waiting must not be spinning. */
static void reading_in_order_to_write(void **state)
{
    const struct peer_options options = {.prepare = short_records,
                                         .serve = send_half_a_ticket};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);
    unsigned turns = 0;
    uint64_t until;

    (void)state;
    client_connect(c);
    wait_for(c, half_is_out);
    client_turn(c, 50); /* it has come */
    publish(c, 10, MQTT_QOS_1);
    c->recvs = 0;
    for (until = milliseconds() + 100; milliseconds() < until; turns++)
        client_turn(c, 20);
    assert_int_equal(c->published, 0);
    assert_in_range(turns, 1, 20);
    assert_in_range(c->recvs, 1, 50);
    rest_may_go = true;
    wait_for(c, c->published == 1);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

static struct peer *waiting;

static void let_the_rest_go(struct client *c)
{
    (void)c;
    rest_may_go = true;
    while (waiting->sent == c->received)
        moment();
}

/* What the write waits for comes right after it looked: it is read in the same
 * turn, no readiness will tell of it, and then it is the write's turn. */
static void what_a_write_waits_for_comes_at_once(void **state)
{
    const struct peer_options options = {.prepare = short_records,
                                         .serve = send_half_a_ticket};
    struct peer *peer = waiting = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    half_is_out = rest_may_go = false;
    client_connect(c);
    wait_for(c, half_is_out && c->received == peer->sent);
    client_turn(c, 50);
    publish(c, 10, MQTT_QOS_1);
    c->meanwhile = let_the_rest_go;
    wait_for(c, c->published == 1);
    assert_true(rest_may_go);
    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_that_stalls_at_each_step),
        cmocka_unit_test(an_end_without_close_notify),
        cmocka_unit_test(truncation_amid_a_record),
        cmocka_unit_test(truncation_amid_a_packet),
        cmocka_unit_test(a_clean_end_is_told_apart),
        cmocka_unit_test(an_end_amid_the_handshake),
        cmocka_unit_test(a_server_that_does_not_speak_tls),
        cmocka_unit_test(a_record_that_was_changed_on_the_way),
        cmocka_unit_test(what_came_before_a_fault_is_given),
        cmocka_unit_test(close_notify_is_sent),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(tickets_and_key_updates_are_taken),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(a_network_that_takes_nothing_for_a_while),
        cmocka_unit_test(bytes_inside_tls_while_the_descriptor_is_quiet),
        cmocka_unit_test(reading_in_order_to_write),
        cmocka_unit_test(what_a_write_waits_for_comes_at_once),
    };

    return RUN_TESTS(argc, argv, "tls_wire", tests);
}
