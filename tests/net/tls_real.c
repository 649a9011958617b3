/*
 * Real counterparts: mosquitto with TLS, mutual TLS and PSK; openssl s_server.
 */
#include "tls_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Its own certificate, and ours to be checked if `more` says so. */
static void run_tls_broker(struct broker *broker, const char *more)
{
    broker_draft(broker, "");
    snprintf(broker->more, sizeof(broker->more),
             "cafile %s\ncertfile %s\nkeyfile %s\n%s", certificate("ca.pem"),
             certificate("server.pem"), certificate("server.key"), more);
    broker_run(broker);
}

static void subscribe(struct client *c)
{
    c->subscription.topic_filter = mqtt_text("real/#");
    c->subscription.maximum_qos = MQTT_QOS_2;
    assert_int_equal(mqtt_subscribe(&c->mqtt, &c->subscription), MQTT_OK);
}

/* Messages there and back, small and large, at each QoS. */
static void exchange(struct client *c)
{
    static char payload[60000];
    const size_t sizes[] = {1, 1000, sizeof(payload)};
    size_t sum = 0;

    client_connect(c);
    wait_for(c, c->connected == 1);
    subscribe(c);
    for (int qos = 0; qos < 3; qos++)
        for (int i = 0; i < 3; i++) {
            unsigned before = c->messages;

            assert_int_equal(mqtt_publish(&c->mqtt, "real/topic", payload,
                                          sizes[i], (enum mqtt_qos)qos, false),
                             MQTT_OK);
            wait_for(c, c->messages == before + 1);
            sum += sizes[i];
        }
    assert_int_equal(c->message_bytes, sum);
    wait_for(c, c->published == 6);
    client_disconnect(c);
}

static void mosquitto_with_tls(void **state)
{
    struct broker broker;
    struct client *c;

    (void)state;
    run_tls_broker(&broker, "");
    c = client_new("localhost", broker.port, NULL);
    exchange(c);
    client_free(c);
    broker_end(&broker);
}

static void mosquitto_with_tls_1_2_only(void **state)
{
    struct broker broker;
    struct client *c;

    (void)state;
    run_tls_broker(&broker, "tls_version tlsv1.2\n");
    c = client_new("localhost", broker.port, NULL);
    exchange(c);
    client_free(c);
    broker_end(&broker);
}

static void mosquitto_with_mutual_tls(void **state)
{
    const struct mqtt_tls_options options = {
        .ca.file = certificate("ca.pem"),
        .certificate.file = certificate("client.pem"),
        .key.file = certificate("client.key")};
    struct broker broker;
    struct client *c;

    (void)state;
    run_tls_broker(&broker, "require_certificate true\n");
    c = client_new("localhost", broker.port, &options);
    exchange(c);
    client_free(c);
    c = client_new("localhost", broker.port, NULL);
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS_REFUSED);
    assert_int_equal(c->connected, 0);
    client_free(c);
    broker_end(&broker);
}

static void mosquitto_with_a_key_that_both_know(void **state)
{
    struct mqtt_tls_options options = {.psk_identity = "gate",
                                       .psk = {"\1\2\3\4\5", 5}};
    struct broker broker;
    struct client *c;

    (void)state;
    broker_draft(&broker, "");
    snprintf(broker.more, sizeof(broker.more),
             "psk_hint here\npsk_file %s/keys\n", broker.folder);
    broker_write(&broker, "keys", "gate:0102030405\n");
    broker_run(&broker);
    c = client_new("localhost", broker.port, &options);
    exchange(c);
    client_free(c);
    options.psk_identity = "stranger";
    c = client_new("localhost", broker.port, &options);
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS_REFUSED);
    client_free(c);
    broker_end(&broker);
}

static void mosquitto_resumes_sessions(void **state)
{
    struct broker broker;
    struct client *c;

    (void)state;
    run_tls_broker(&broker, "");
    c = client_new("localhost", broker.port, NULL);
    for (unsigned i = 1; i <= 31; i++) {
        client_connect(c);
        wait_for(c, c->connected == i);
        client_disconnect(c);
    }
    assert_int_equal(c->statistics.tls_handshakes, 31);
    assert_in_range(c->statistics.tls_handshakes_resumed, 27, 30);
    client_free(c);
    broker_end(&broker);
}

/* It closes without reading all, so it may be a reset. */
static void mosquitto_without_tls(void **state)
{
    struct broker broker;
    struct client *c;

    (void)state;
    broker_begin(&broker, "");
    c = client_new("localhost", broker.port, NULL);
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_true(c->error == MQTT_ERR_TLS || c->error == MQTT_ERR_NETWORK);
    assert_int_equal(c->statistics.tls_handshakes, 0);
    client_free(c);
    broker_end(&broker);
}

/* ---- openssl s_server -------------------------------------------------------------- */

static bool answers(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good = !connect(descriptor, (struct sockaddr *)&address, sizeof(address));
    close(descriptor);
    return good;
}

/* -rev: it reads no terminal. What it says, on both ways, goes to a file. */
static pid_t s_server(const char *name, const char *const more[4],
                      uint16_t *port)
{
    char accept[32], file[64], key[64];
    uint64_t until = milliseconds() + PATIENCE_MS;
    pid_t pid;

    *port = free_port();
    snprintf(accept, sizeof(accept), "127.0.0.1:%u", *port);
    snprintf(file, sizeof(file), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    pid = program_start(
        (const char *const[]){
            "sh", "-c", "unset LD_PRELOAD; exec openssl \"$@\" 2>&1", "sh",
            "s_server", "-rev", "-accept", accept, "-cert", certificate(file),
            "-key", certificate(key), more[0], more[1], more[2], more[3], NULL},
        certificate("s_server"));
    while (!answers(*port)) {
        if (milliseconds() > until)
            fail_msg("s_server does not answer");
        moment();
    }
    return pid;
}

static void s_server_refused(const char *name, const char *const more[4],
                             enum mqtt_error error)
{
    uint16_t port;
    pid_t pid = s_server(name, more, &port);
    struct client *c = client_new("127.0.0.1", port, NULL);
    char *said;

    client_connect(c);
    wait_for(c, c->disconnected == 1);
    if (c->error != error)
        fail_msg("%s: %s", mqtt_error_text(c->error), c->detail);
    client_free(c);
    program_stop(pid);
    said = content_of(certificate("s_server"));
    assert_null(strstr(said, "MQTT"));
    assert_null(strstr(said, "TTQM"));
    free(said);
}

static void s_server_that_is_old_or_shows_bad_certificates(void **state)
{
    (void)state;
    s_server_refused(
        "server",
        (const char *const[]){"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL},
        MQTT_ERR_TLS_VERSION);
    s_server_refused(
        "server",
        (const char *const[]){"-tls1_2", "-cipher", "AES256-SHA", NULL},
        MQTT_ERR_TLS_CIPHER);
    s_server_refused("expired", (const char *const[4]){NULL},
                     MQTT_ERR_TLS_EXPIRED);
    s_server_refused("unknown", (const char *const[4]){NULL},
                     MQTT_ERR_TLS_ISSUER);
    s_server_refused(
        "rsa512",
        (const char *const[]){"-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0", NULL},
        MQTT_ERR_TLS_WEAK);
}

/* It speaks no MQTT, so each connection ends at its deadline. */
static void s_server_connects(const char *const more[4],
                              const struct mqtt_tls_options *options)
{
    uint16_t port;
    pid_t pid = s_server("server", more, &port);
    struct client *c = client_new("127.0.0.1", port, options);

    c->config.connack_timeout_ms = 40;
    client_connect(c);
    wait_for(c, c->statistics.tls_handshakes == 12);
    assert_in_range(c->statistics.tls_handshakes_resumed, 10, 11);
    assert_int_equal(c->error, MQTT_ERR_CONNACK_TIMEOUT);
    client_free(c);
    program_stop(pid);
}

static void s_server_with_tickets(void **state)
{
    (void)state;
    s_server_connects((const char *const[4]){"-tls1_3"}, NULL);
    s_server_connects((const char *const[4]){"-tls1_2"}, NULL);
}

static void s_server_with_a_key_that_both_know_on_1_3(void **state)
{
    const struct mqtt_tls_options options = {.psk_identity = "Client_identity",
                                             .psk = {"\1\2\3\4\5", 5},
                                             .ca.file =
                                                 certificate("stranger.pem")};

    (void)state;
    s_server_connects(
        (const char *const[]){"-tls1_3", "-psk", "0102030405", "-nocert"},
        &options);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mosquitto_with_tls),
        cmocka_unit_test(mosquitto_with_tls_1_2_only),
        cmocka_unit_test(mosquitto_with_mutual_tls),
        cmocka_unit_test(mosquitto_with_a_key_that_both_know),
        cmocka_unit_test(mosquitto_resumes_sessions),
        cmocka_unit_test(mosquitto_without_tls),
        cmocka_unit_test(s_server_that_is_old_or_shows_bad_certificates),
        cmocka_unit_test(s_server_with_tickets),
        cmocka_unit_test(s_server_with_a_key_that_both_know_on_1_3),
    };

    return RUN_TESTS(argc, argv, "tls_real", tests);
}
