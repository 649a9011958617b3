/*
 * What the options of TLS do, and what becomes of wrong ones; sessions that are
 * resumed.
 */
#include "tls_client.h"

#include <openssl/pem.h>
#include <sys/stat.h>

/* It connects with these options; what the server saw is in *peer. */
static struct client *connected(struct peer *peer, const char *host,
                                const struct mqtt_tls_options *options)
{
    struct client *c = client_new(host, peer->port, options);

    client_connect(c);
    wait_for(c, c->connected == 1);
    assert_int_equal(c->disconnected, 0);
    return c;
}

static void goes(const struct peer_options *peer_options, const char *host,
                 const struct mqtt_tls_options *options)
{
    struct peer *peer = peer_begin(peer_options);
    struct client *c = connected(peer, host, options);

    client_disconnect(c);
    client_free(c);
    peer_end(peer);
}

static struct mqtt_span bytes_of(const char *file)
{
    return mqtt_text(content_of(certificate(file)));
}

static void free_bytes(struct mqtt_span bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

/* ---- whom to trust ---------------------------------------------------------------- */

static void the_ca_as_file_folder_bytes_uri_and_of_the_system(void **state)
{
    struct mqtt_span bytes = bytes_of("ca.pem");
    char uri[128];

    (void)state;
    goes(NULL, "127.0.0.1",
         &(struct mqtt_tls_options){.ca.file = certificate("ca.pem")});
    goes(NULL, "127.0.0.1",
         &(struct mqtt_tls_options){.ca.file = certificate("bundle.pem")});
    goes(NULL, "127.0.0.1",
         &(struct mqtt_tls_options){.ca_folder = certificate("trusted")});
    goes(NULL, "127.0.0.1", &(struct mqtt_tls_options){.ca.bytes = bytes});
    free_bytes(bytes);
    snprintf(uri, sizeof(uri), "file:%s", certificate("ca.pem"));
    goes(NULL, "127.0.0.1", &(struct mqtt_tls_options){.ca.uri = uri});
    setenv("SSL_CERT_FILE", certificate("ca.pem"), 1);
    goes(NULL, "127.0.0.1", &(struct mqtt_tls_options){.minimum = 0});
    unsetenv("SSL_CERT_FILE");
}

/* The system does not know our CA. */
static void the_system_store_by_default(void **state)
{
    struct peer *peer = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", peer->port,
                                  &(struct mqtt_tls_options){.minimum = 0});

    (void)state;
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS_ISSUER);
    assert_int_equal(peer->received, 0);
    client_free(c);
    peer_end(peer);
}

static void names_addresses_wildcards_chains(void **state)
{
    struct mqtt_tls_options options = {.ca.file = certificate("ca.pem")};

    (void)state;
    goes(&(struct peer_options){.certificate = "chain"}, "localhost", &options);
    goes(&(struct peer_options){.certificate = "address"}, "127.0.0.1",
         &options);
    goes(&(struct peer_options){.certificate = "common"}, "localhost",
         &options);
    options.server_name = "gate.other.example";
    goes(&(struct peer_options){.certificate = "name"}, "127.0.0.1", &options);
    options.server_name = "elsewhere.example.";
    goes(&(struct peer_options){.certificate = "name"}, "127.0.0.1", &options);
    options.server_name = NULL;
    options.crl.file = certificate("crl.pem");
    options.crl_whole_chain = true;
    goes(NULL, "127.0.0.1", &options);
}

static void old_lists_of_revoked_certificates_are_no_proof(void **state)
{
    const struct mqtt_tls_options options = {.ca.file = certificate("ca.pem"),
                                             .crl.file =
                                                 certificate("old_crl.pem")};
    struct peer *peer = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", peer->port, &options);

    (void)state;
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS);
    assert_non_null(strstr(c->detail, "CRL has expired"));
    client_free(c);
    peer_end(peer);
}

static void without_verification_anybody_will_do(void **state)
{
    const struct mqtt_tls_options options = {.insecure_no_verification = true};

    (void)state;
    goes(&(struct peer_options){.certificate = "self"}, "127.0.0.1", &options);
    goes(&(struct peer_options){.certificate = "expired"}, "localhost",
         &options);
}

/* ---- SNI, ALPN ------------------------------------------------------------------------ */

static char seen_name[64], seen_protocols[64];

static int see_name(SSL *ssl, int *alert, void *context)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert, (void)context;
    snprintf(seen_name, sizeof(seen_name), "%s", name ? name : "none");
    return SSL_TLSEXT_ERR_OK;
}

static int see_protocols(SSL *ssl, const unsigned char **out,
                         unsigned char *size, const unsigned char *in,
                         unsigned in_size, void *context)
{
    (void)ssl, (void)context;
    snprintf(seen_protocols, sizeof(seen_protocols), "%.*s", (int)in_size, in);
    *out = in + 1;
    *size = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static void see(SSL_CTX *context)
{
    SSL_CTX_set_tlsext_servername_callback(context, see_name);
    SSL_CTX_set_alpn_select_cb(context, see_protocols, NULL);
}

static void the_server_hears_name_and_protocols(void **state)
{
    const struct peer_options peer = {.prepare = see};
    struct mqtt_tls_options options = {.ca.file = certificate("ca.pem"),
                                       .alpn = "mqtt,x-mqtt"};

    (void)state;
    goes(&peer, "localhost", &options);
    assert_string_equal(seen_name, "localhost");
    assert_string_equal(seen_protocols, "\4mqtt\6x-mqtt");
    goes(&peer, "127.0.0.1", &options);
    assert_string_equal(seen_name, "none"); /* [RFC 6066, section 3] */
    options.server_name = "localhost";
    goes(&peer, "127.0.0.1", &options);
    assert_string_equal(seen_name, "localhost");
}

/* ---- our certificate ------------------------------------------------------------------ */

static char seen_client[64];

static int see_client(int good, X509_STORE_CTX *store)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (X509_STORE_CTX_get_error_depth(store) == 0)
        X509_NAME_oneline(X509_get_subject_name(certificate), seen_client,
                          sizeof(seen_client));
    return good;
}

static void ask_for_certificates(SSL_CTX *context)
{
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, see_client);
    SSL_CTX_load_verify_file(context, certificate("ca.pem"));
}

static void goes_as(const char *subject, const struct mqtt_tls_options *options)
{
    struct peer_options peer = {.prepare = ask_for_certificates};
    struct mqtt_tls_options all = *options;

    all.ca.file = certificate("ca.pem");
    for (peer.maximum = TLS1_2_VERSION; peer.maximum <= TLS1_3_VERSION;
         peer.maximum++) {
        seen_client[0] = '\0';
        goes(&peer, "127.0.0.1", &all);
        assert_string_equal(seen_client, subject);
    }
}

static void our_certificate_as_files_bytes_and_uris(void **state)
{
    struct mqtt_span pem = bytes_of("client.pem"), key = bytes_of("client.key");
    char uri[128], key_uri[128];

    (void)state;
    goes_as("/CN=client 7", &(struct mqtt_tls_options){
                                .certificate.file = certificate("client.pem"),
                                .key.file = certificate("client.key")});
    goes_as("/CN=client 7", &(struct mqtt_tls_options){
                                .certificate.file = certificate("client.pem"),
                                .key.file = certificate("client.der")});
    goes_as("/CN=client 7", &(struct mqtt_tls_options){
                                .certificate.file = certificate("both.pem")});
    goes_as("/CN=client 7", &(struct mqtt_tls_options){.certificate.bytes = pem,
                                                       .key.bytes = key});
    goes_as("/CN=localhost", &(struct mqtt_tls_options){
                                 .certificate.file = certificate("rsa.pem"),
                                 .key.file = certificate("rsa.key")});
    free_bytes(pem);
    free_bytes(key);
    snprintf(uri, sizeof(uri), "file:%s", certificate("client.pem"));
    snprintf(key_uri, sizeof(key_uri), "file:%s", certificate("client.key"));
    goes_as("/CN=client 7", &(struct mqtt_tls_options){.certificate.uri = uri,
                                                       .key.uri = key_uri});
}

static int give_secret(void *context, char *out, int size)
{
    const char *secret = context;
    int length = (int)strlen(secret);

    assert_in_range(length, 0, size);
    memcpy(out, secret, (size_t)length);
    return length;
}

static void a_key_that_is_locked(void **state)
{
    struct mqtt_tls_options options = {.certificate.file =
                                           certificate("client.pem"),
                                       .key.file = certificate("locked.key"),
                                       .passphrase = give_secret,
                                       .passphrase_context = "secret"};
    char why[256] = "", uri[128];
    enum mqtt_error error = MQTT_OK;

    (void)state;
    goes_as("/CN=client 7", &options);
    snprintf(uri, sizeof(uri), "file:%s", certificate("locked.key"));
    options.key = (struct mqtt_tls_source){.uri = uri};
    goes_as("/CN=client 7", &options);
    options.passphrase_context = "wrong";
    assert_null(mqtt_openssl_new(&options, &error, why, sizeof(why)));
    assert_int_equal(error, MQTT_ERR_TLS_OPTIONS);
    assert_memory_equal(why, "key: ", 5);
    options.passphrase = NULL; /* nobody is asked at a terminal */
    assert_null(mqtt_openssl_new(&options, &error, why, sizeof(why)));
}

/* ---- keys that both know --------------------------------------------------------------- */

static unsigned find_psk(SSL *ssl, const char *identity, unsigned char *key,
                         unsigned size)
{
    (void)ssl;
    if (strcmp(identity, "gate") != 0 || size < 5)
        return 0;
    memcpy(key, "\1\2\3\4\5", 5);
    return 5;
}

static void know_psk(SSL_CTX *context)
{
    SSL_CTX_set_psk_server_callback(context, find_psk);
}

static void a_key_that_both_know(void **state)
{
    struct peer_options peer = {.certificate = "", .prepare = know_psk};
    struct mqtt_tls_options options = {.psk_identity = "gate",
                                       .psk = {"\1\2\3\4\5", 5}};

    (void)state;
    for (peer.maximum = TLS1_2_VERSION; peer.maximum <= TLS1_3_VERSION;
         peer.maximum++) {
        struct peer *server = peer_begin(&peer);
        struct client *c = connected(server, "127.0.0.1", &options);

        assert_int_equal(c->statistics.tls_handshakes, 1);
        assert_int_equal(c->statistics.tls_handshakes_resumed, 0);
        client_disconnect(c);
        client_connect(c);
        wait_for(c, c->connected == 2);
        assert_int_equal(c->statistics.tls_handshakes_resumed, 1);
        client_disconnect(c);
        client_free(c);
        peer_end(server);
    }
}

static void another_key(void **state)
{
    struct peer_options peer = {.certificate = "", .prepare = know_psk};
    struct mqtt_tls_options options = {.psk_identity = "gate",
                                       .psk = {"\1\2\3\4\6", 5}};

    (void)state;
    for (peer.maximum = TLS1_2_VERSION; peer.maximum <= TLS1_3_VERSION;
         peer.maximum++) {
        struct peer *server = peer_begin(&peer);
        struct client *c = client_new("127.0.0.1", server->port, &options);

        client_connect(c);
        wait_for(c, c->disconnected == 1);
        assert_int_equal(c->error, MQTT_ERR_TLS_REFUSED);
        assert_int_equal(server->received, 0);
        client_free(c);
        peer_end(server);
    }
}

/* ---- versions and ciphers ----------------------------------------------------------------- */

static void versions_and_ciphers_by_option(void **state)
{
    struct mqtt_tls_options options = {.ca.file = certificate("ca.pem"),
                                       .maximum = MQTT_TLS_1_2,
                                       .ciphers =
                                           "ECDHE-ECDSA-AES256-GCM-SHA384",
                                       .groups = "P-256"};

    (void)state;
    goes(NULL, "127.0.0.1", &options);
    goes(&(struct peer_options){.maximum = TLS1_2_VERSION}, "127.0.0.1",
         &options);
    options = (struct mqtt_tls_options){.ca.file = certificate("ca.pem"),
                                        .minimum = MQTT_TLS_1_3,
                                        .cipher_suites =
                                            "TLS_CHACHA20_POLY1305_SHA256",
                                        .groups = "X25519"};
    goes(&(struct peer_options){.minimum = TLS1_3_VERSION}, "127.0.0.1",
         &options);
}

/* ---- resuming ------------------------------------------------------------------------------- */

#define TIMES 20

static void cut_after_a_message(struct line *line)
{
    line_serve(line, 2);
    line_cut(line);
}

/* Reconnects by disconnecting and by being cut off, in turn. */
static void reconnect(const struct peer_options *peer_options,
                      const struct mqtt_tls_options *options, unsigned resumed)
{
    struct peer *peer = peer_begin(peer_options);
    struct client *c = connected(peer, "127.0.0.1", options);

    for (unsigned i = 1; i <= TIMES; i++) {
        unsigned before = c->disconnected;

        mqtt_publish(&c->mqtt, "a", "b", 1, MQTT_QOS_1, false);
        if (peer_options->serve) {
            wait_for(c, c->disconnected > before);
            assert_int_equal(c->error, MQTT_ERR_TLS_TRUNCATED);
        } else {
            client_disconnect(c);
            client_connect(c);
        }
        wait_for(c, c->connected == i + 1);
    }
    assert_int_equal(c->statistics.tls_handshakes, TIMES + 1);
    assert_int_equal(c->statistics.tls_handshakes_resumed, resumed);
    assert_int_equal(peer->resumed, resumed);
    client_free(c);
    peer_end(peer);
}

static void sessions_are_resumed(void **state)
{
    const struct mqtt_tls_options options = {.ca.file = certificate("ca.pem")};
    struct peer_options peer = {.maximum = TLS1_2_VERSION};

    (void)state;
    reconnect(&peer, &options, TIMES);
    peer.maximum = TLS1_3_VERSION;
    reconnect(&peer, &options, TIMES);
    peer.serve = cut_after_a_message;
    reconnect(&peer, &options, TIMES);
    peer.maximum = TLS1_2_VERSION;
    reconnect(&peer, &options, TIMES);
}

static void or_not_if_one_side_does_not_want(void **state)
{
    struct mqtt_tls_options options = {.ca.file = certificate("ca.pem")};
    struct peer_options peer = {.refuses_tickets = true};

    (void)state;
    reconnect(&peer, &options, 0);
    peer.refuses_tickets = false;
    options.no_resumption = true;
    reconnect(&peer, &options, 0);
    peer.maximum = TLS1_2_VERSION;
    reconnect(&peer, &options, 0);
}

/* A session is of the name for which the certificate was verified: another
 * name of the same server begins anew. */
static void a_session_is_for_one_name(void **state)
{
    const struct peer_options options = {.certificate = "only_name"};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("localhost", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, c->connected == 1);
    client_disconnect(c);
    snprintf(c->address, sizeof(c->address), "127.0.0.1");
    client_connect(c);
    wait_for(c, c->disconnected == 2);
    assert_int_equal(c->error, MQTT_ERR_TLS_NAME);
    snprintf(c->address, sizeof(c->address), "localhost");
    wait_for(c, c->connected == 2);
    assert_int_equal(c->statistics.tls_handshakes_resumed, 1);
    client_free(c);
    peer_end(peer);
}

/* ---- a context of the application's ---------------------------------------------------------- */

static void a_context_of_the_application(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct mqtt_tls_options options = {.context = context};
    struct peer_options peer = {.maximum = TLS1_2_VERSION};
    enum mqtt_error error;
    char why[128];

    (void)state;
    SSL_CTX_load_verify_file(context, certificate("ca.pem"));
    assert_int_equal(SSL_CTX_get_verify_mode(context), SSL_VERIFY_NONE);
    reconnect(&peer, &options, TIMES);
    peer.maximum = TLS1_3_VERSION;
    reconnect(&peer, &options, TIMES);
    assert_int_equal(SSL_CTX_get_verify_mode(context), SSL_VERIFY_NONE);
    options.ca.file = certificate("ca.pem");
    assert_null(mqtt_openssl_new(&options, &error, why, sizeof(why)));
    assert_int_equal(error, MQTT_ERR_TLS_OPTIONS);
    SSL_CTX_free(context);
}

/* It is verified, whatever the context says. */
static void a_context_that_trusts_nobody(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct mqtt_tls_options options = {.context = context};
    struct peer *peer = peer_begin(NULL);
    struct client *c = client_new("127.0.0.1", peer->port, &options);

    (void)state;
    SSL_CTX_free(context); /* the layer has its own reference */
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS_ISSUER);
    assert_int_equal(peer->received, 0);
    client_free(c);
    peer_end(peer);
}

/* ---- debugging --------------------------------------------------------------------------------- */

static unsigned secrets;

static void note_secret(void *context, const char *line)
{
    assert_ptr_equal(context, &secrets);
    secrets += strstr(line, "CLIENT_TRAFFIC_SECRET_0 ") == line;
}

static void secrets_are_logged_on_demand(void **state)
{
    char path[128];
    const struct mqtt_tls_options options = {.ca.file = certificate("ca.pem"),
                                             .key_log = note_secret,
                                             .key_log_context = &secrets,
                                             .key_log_file = path};
    struct stat status;
    char *content;

    (void)state;
    snprintf(path, sizeof(path), "%s", certificate("secrets"));
    goes(NULL, "127.0.0.1", &options);
    goes(NULL, "127.0.0.1", &options);
    assert_int_equal(secrets, 2);
    content = content_of(path);
    assert_non_null(strstr(content, "SERVER_TRAFFIC_SECRET_0 "));
    free(content);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* ---- options that cannot be ---------------------------------------------------------------------- */

static void expect_refused(const struct mqtt_tls_options *options,
                           const char *words)
{
    enum mqtt_error error = MQTT_OK;
    char why[256] = "";

    assert_null(mqtt_openssl_new(options, &error, why, sizeof(why)));
    assert_int_equal(error, MQTT_ERR_TLS_OPTIONS);
    if (strncmp(why, words, strlen(words)) != 0)
        fail_msg("\"%s\", not \"%s\"", why, words);
    assert_null(mqtt_openssl_new(options, NULL, NULL, 0));
}

static void options_that_cannot_be(void **state)
{
    const struct mqtt_span none = mqtt_text("nothing");
    char much[400];

    (void)state;
    memset(much, 'a', sizeof(much));
    much[399] = '\0';
#define refuse(words, ...)                                                     \
    expect_refused(&(struct mqtt_tls_options){__VA_ARGS__}, words)
    refuse("ca: No such file or directory", .ca.file = "/nowhere");
    refuse("ca: ", .ca.bytes = none);
    refuse("ca: ", .ca.uri = "strange:thing");
    refuse("ca, crl: ", .ca = {.file = "a", .uri = "b"});
    refuse("crl: ", .crl.file = certificate("ca.pem"));
    refuse("certificate: ", .certificate.file = certificate("client.key"));
    refuse("key: ", .certificate.file = certificate("client.pem"));
    refuse("key: key values mismatch",
           .certificate.file = certificate("client.pem"),
           .key.file = certificate("server.key"));
    refuse("key: a key without", .key.file = certificate("client.key"));
    refuse("certificate, key: ", .certificate = {.file = "a", .bytes = none});
    refuse("psk: ", .psk_identity = "a");
    refuse("psk: ", .psk_identity = "a", .psk = {much, 257});
    refuse("psk_identity: ", .psk = none);
    refuse("psk_identity: ", .psk_identity = "", .psk = none);
    refuse("psk_identity: ", .psk_identity = much, .psk = none);
    refuse("minimum, maximum: ", .minimum = MQTT_TLS_1_3,
           .maximum = MQTT_TLS_1_2);
    refuse("ciphers: no cipher match", .ciphers = "ROT13");
    refuse("cipher_suites: ", .cipher_suites = "ROT13");
    refuse("groups: ", .groups = "circle");
    refuse("alpn: ", .alpn = "a,,b");
    refuse("alpn: ", .alpn = much);
    refuse("server_name: ", .server_name = "");
    refuse("server_name: ", .server_name = much);
    refuse("server_name: ", .server_name = ".example"); /* any below it */
    refuse("key_log_file: ", .key_log_file = "/nowhere/at/all");
#undef refuse
    mqtt_openssl_free(NULL);
}

static void no_name_that_a_certificate_could_be_for(void **state)
{
    /* the last one stands, for OpenSSL, for all names below it */
    static const char *const names[] = {"unix:/nowhere", ".", ".example"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct client *c = client_new(names[i], 0, NULL);

        client_connect(c);
        wait_for(c, c->disconnected == 1);
        assert_int_equal(c->error, MQTT_ERR_SERVER);
        assert_non_null(strstr(c->detail, "a certificate could be for"));
        client_free(c);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ca_as_file_folder_bytes_uri_and_of_the_system),
        cmocka_unit_test(the_system_store_by_default),
        cmocka_unit_test(names_addresses_wildcards_chains),
        cmocka_unit_test(old_lists_of_revoked_certificates_are_no_proof),
        cmocka_unit_test(without_verification_anybody_will_do),
        cmocka_unit_test(the_server_hears_name_and_protocols),
        cmocka_unit_test(our_certificate_as_files_bytes_and_uris),
        cmocka_unit_test(a_key_that_is_locked),
        cmocka_unit_test(a_key_that_both_know),
        cmocka_unit_test(another_key),
        cmocka_unit_test(versions_and_ciphers_by_option),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(or_not_if_one_side_does_not_want),
        cmocka_unit_test(a_session_is_for_one_name),
        cmocka_unit_test(a_context_of_the_application),
        cmocka_unit_test(a_context_that_trusts_nobody),
        cmocka_unit_test(secrets_are_logged_on_demand),
        cmocka_unit_test(options_that_cannot_be),
        cmocka_unit_test(no_name_that_a_certificate_could_be_for),
    };

    return RUN_TESTS(argc, argv, "tls_options", tests);
}
