/*
 * Servers that must not be spoken to. Each is refused with the reason named,
 * not one byte of MQTT leaves, it takes no time to speak of, and the client
 * goes on to the next server, which is good.
 */
#include "tls_client.h"

struct refusal {
    const char *host; /* NULL: 127.0.0.1 */
    struct peer_options peer;
    struct mqtt_tls_options options;
    enum mqtt_error error;
    const char *words; /* in the detail */
    int alert;         /* that the server gets; 0: whichever */
};

static void expect_refused(struct refusal refusal)
{
    struct peer *bad = peer_begin(&refusal.peer), *good = peer_begin(NULL);
    const char *host = refusal.host ? refusal.host : "127.0.0.1";
    uint64_t began = milliseconds();
    struct client *c;

    if (!refusal.options.ca.file && !refusal.options.ca_folder)
        refusal.options.ca.file = certificate("ca.pem");
    c = client_new(host, bad->port, &refusal.options);
    c->config.server_count = 2;
    c->servers[1] = (struct mqtt_server){"127.0.0.1", good->port};
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    if (c->error != refusal.error || !strstr(c->detail, refusal.words))
        fail_msg("%s: %s", mqtt_error_text(c->error), c->detail);
    assert_in_range(milliseconds() - began, 0, 3000);
    assert_int_equal(c->statistics.tls_handshakes, 0);
    wait_for(c, !refusal.alert || bad->alert == refusal.alert);
    assert_int_equal(bad->received, 0);
    wait_for(c, c->connected == 1);
    client_disconnect(c);
    client_free(c);
    peer_end(bad);
    peer_end(good);
}

/* ---- certificates -------------------------------------------------------------- */

static void a_certificate_for_another_name(void **state)
{
    (void)state;
    expect_refused((struct refusal){
        .host = "localhost",
        .peer.certificate = "name",
        .error = MQTT_ERR_TLS_NAME,
        .words = "localhost: hostname mismatch (certificate: CN = elsewhere, "
                 "DNS:elsewhere.example, DNS:*.other.example)"});
}

static void a_name_for_a_server_that_has_an_address_only(void **state)
{
    (void)state;
    expect_refused((struct refusal){.host = "localhost",
                                    .peer.certificate = "address",
                                    .error = MQTT_ERR_TLS_NAME,
                                    .words = "localhost: hostname mismatch"});
}

static void an_address_for_a_server_that_has_a_name_only(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "only_name",
                                    .error = MQTT_ERR_TLS_NAME,
                                    .words = "127.0.0.1: IP address mismatch"});
}

static void an_expired_certificate(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "expired",
                                    .error = MQTT_ERR_TLS_EXPIRED,
                                    .words = "expired (certificate: CN = ",
                                    .alert = SSL_AD_CERTIFICATE_EXPIRED});
}

static void a_certificate_of_the_future(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "early",
                                    .error = MQTT_ERR_TLS_NOT_YET_VALID,
                                    .words = "not yet valid"});
}

static void a_certificate_that_signs_itself(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "self",
                                    .error = MQTT_ERR_TLS_ISSUER,
                                    .words = "self-signed certificate",
                                    .alert = SSL_AD_UNKNOWN_CA});
}

static void an_unknown_issuer(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "unknown",
                                    .error = MQTT_ERR_TLS_ISSUER,
                                    .words = "issuer",
                                    .alert = SSL_AD_UNKNOWN_CA});
}

static void a_chain_with_a_gap(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "bare",
                                    .error = MQTT_ERR_TLS_ISSUER,
                                    .words = "issuer"});
}

static void a_revoked_certificate(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "revoked",
                                    .options.crl.file = certificate("crl.pem"),
                                    .error = MQTT_ERR_TLS_REVOKED,
                                    .words = "revoked",
                                    .alert = SSL_AD_CERTIFICATE_REVOKED});
}

static void a_certificate_signed_with_sha1(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "sha1",
                                    .error = MQTT_ERR_TLS_WEAK,
                                    .words = "too weak"});
}

static void a_key_of_512_bits(void **state)
{
    (void)state;
    expect_refused((struct refusal){
        .peer = {.certificate = "rsa512", .maximum = TLS1_2_VERSION},
        .error = MQTT_ERR_TLS_WEAK,
        .words = "key too weak"});
}

/* OpenSSL's own word for lowering the bar does not go below level 1. */
static void weak_ones_even_if_the_ciphers_say_level_0(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.certificate = "sha1",
                                    .options.ciphers = "DEFAULT@SECLEVEL=0",
                                    .error = MQTT_ERR_TLS_WEAK,
                                    .words = "too weak"});
}

/* ---- protocol ---------------------------------------------------------------------- */

static void tls_1_1_only(void **state)
{
    (void)state;
    expect_refused((struct refusal){
        .peer = {.minimum = TLS1_VERSION, .maximum = TLS1_1_VERSION},
        .error = MQTT_ERR_TLS_VERSION,
        .words = "version"});
}

static void tls_1_2_where_1_3_is_asked_for(void **state)
{
    struct refusal refusal = {.peer.maximum = TLS1_2_VERSION,
                              .options.minimum = MQTT_TLS_1_3,
                              .error = MQTT_ERR_TLS_VERSION,
                              .words = "version"};

    (void)state;
    expect_refused(refusal);
}

static void only_other_ciphers(SSL_CTX *context)
{
    SSL_CTX_set_ciphersuites(context, "TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

static void no_common_cipher(void **state)
{
    struct refusal refusal = {
        .peer.prepare = only_other_ciphers,
        .options = {.ciphers = "ECDHE+AESGCM",
                    .cipher_suites = "TLS_AES_128_GCM_SHA256"},
        .error = MQTT_ERR_TLS_CIPHER,
        .words = "handshake failure"};

    (void)state;
    /* the next server is good for any cipher */
    expect_refused(refusal);
    refusal.peer.maximum = TLS1_2_VERSION;
    expect_refused(refusal);
}

static void only_another_group(SSL_CTX *context)
{
    SSL_CTX_set1_groups_list(context, "P-521");
}

static void no_common_group(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.prepare = only_another_group,
                                    .options.groups = "X25519:P-256",
                                    .error = MQTT_ERR_TLS_CIPHER,
                                    .words = "handshake failure"});
}

static int no_protocol(SSL *ssl, const unsigned char **out, unsigned char *size,
                       const unsigned char *in, unsigned in_size, void *context)
{
    (void)ssl, (void)out, (void)size, (void)in, (void)in_size, (void)context;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void only_another_protocol(SSL_CTX *context)
{
    SSL_CTX_set_alpn_select_cb(context, no_protocol, NULL);
}

static void no_common_application_protocol(void **state)
{
    (void)state;
    expect_refused((struct refusal){.peer.prepare = only_another_protocol,
                                    .options.alpn = "mqtt",
                                    .error = MQTT_ERR_TLS_CIPHER,
                                    .words = "no application protocol"});
}

/* In TLS 1.2 the server says so before the handshake is over. */
static void ask_for_certificates(SSL_CTX *context)
{
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_load_verify_file(context, certificate("ca.pem"));
}

static void a_server_that_wants_our_certificate(void **state)
{
    struct refusal refusal = {
        .peer = {.prepare = ask_for_certificates, .maximum = TLS1_2_VERSION},
        .error = MQTT_ERR_TLS_REFUSED,
        .words = "handshake failure"};

    (void)state;
    expect_refused(refusal);
    refusal.options.certificate.file = certificate("foreign.pem");
    refusal.options.key.file = certificate("foreign.key");
    refusal.words = "unknown ca";
    expect_refused(refusal);
}

/* In TLS 1.3 after it, where the answer to CONNECT was expected. */
static void a_server_that_wants_our_certificate_in_1_3(void **state)
{
    const struct peer_options options = {.prepare = ask_for_certificates};
    struct peer *peer = peer_begin(&options);
    struct client *c = client_new("127.0.0.1", peer->port, NULL);

    (void)state;
    client_connect(c);
    wait_for(c, c->disconnected == 1);
    assert_int_equal(c->error, MQTT_ERR_TLS_REFUSED);
    assert_non_null(strstr(c->detail, "certificate required"));
    assert_int_equal(peer->received, 0); /* nobody has decrypted it */
    client_free(c);
    peer_end(peer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_for_another_name),
        cmocka_unit_test(a_name_for_a_server_that_has_an_address_only),
        cmocka_unit_test(an_address_for_a_server_that_has_a_name_only),
        cmocka_unit_test(an_expired_certificate),
        cmocka_unit_test(a_certificate_of_the_future),
        cmocka_unit_test(a_certificate_that_signs_itself),
        cmocka_unit_test(an_unknown_issuer),
        cmocka_unit_test(a_chain_with_a_gap),
        cmocka_unit_test(a_revoked_certificate),
        cmocka_unit_test(a_certificate_signed_with_sha1),
        cmocka_unit_test(a_key_of_512_bits),
        cmocka_unit_test(weak_ones_even_if_the_ciphers_say_level_0),
        cmocka_unit_test(tls_1_1_only),
        cmocka_unit_test(tls_1_2_where_1_3_is_asked_for),
        cmocka_unit_test(no_common_cipher),
        cmocka_unit_test(no_common_group),
        cmocka_unit_test(no_common_application_protocol),
        cmocka_unit_test(a_server_that_wants_our_certificate),
        cmocka_unit_test(a_server_that_wants_our_certificate_in_1_3),
    };

    return RUN_TESTS(argc, argv, "tls_refused", tests);
}
