/*
 * mqttloop/openssl.h - TLS by OpenSSL 3, for mqtts:// and wss://, or over any
 * other transport.
 *
 *     static const struct mqtt_tls_options options = {.ca.file = "ca.pem"};
 *     struct mqtt_host host = {.tls = mqtt_openssl_new(&options, NULL, NULL, 0)};
 *     client = mqtt_client_new(&config, &host, NULL);
 *     ...
 *     mqtt_client_free(client);
 *     mqtt_openssl_free(host.tls);
 *
 * With all options zero the server's certificate is verified, its chain against
 * the system's store and its name against the host of the server's address;
 * TLS 1.2 and 1.3 are spoken. The layer is open, and the first byte of MQTT
 * leaves, only when that has succeeded.
 *
 * A connection that failed says why in MQTT_EVENT_DISCONNECTED: one of
 * MQTT_ERR_TLS_..., see types.h, and a detail with OpenSSL's words, the host,
 * and the certificate that was refused. The rest is MQTT_ERR_TLS: also a server
 * that does not speak TLS, or that closes amid the handshake. In TLS 1.3 a
 * server refuses our certificate only after the handshake: MQTT_ERR_TLS_REFUSED
 * then comes where CONNACK was expected.
 *
 * A server that ends the connection without close_notify is
 * MQTT_ERR_TLS_TRUNCATED, with it MQTT_ERR_CLOSED. We send it in both cases,
 * and expect none after our DISCONNECT.
 *
 * Bounds: 34 KiB of encrypted bytes wait for the network at most, 32 KiB are
 * read at once, and that memory is freed when it is empty; a server's chain has at most 100 KiB
 * and 10 certificates; a server that sends more than 10 tickets, key updates or
 * the like within a turn, or 64 in a row without data between, is cut off. How long a handshake may
 * take is mqtt_config.open_timeout_ms.
 */
#ifndef MQTTLOOP_OPENSSL_H
#define MQTTLOOP_OPENSSL_H

#include <mqttloop/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** OpenSSL's own names for SSL_CTX and OSSL_LIB_CTX. */
struct ssl_ctx_st;
struct ossl_lib_ctx_st;

/** Certificates, keys or revocation lists, as PEM or DER, PKCS #12 too: a file,
 * or bytes, or an OSSL_STORE URI ("file:/etc/key.pem", "handle:0x81000001" of a
 * TPM, "pkcs11:object=key": what a loaded provider knows). At most one of the
 * three; none: absent. */
struct mqtt_tls_source {
    const char *file;
    struct mqtt_span bytes;
    const char *uri;
};

enum mqtt_tls_version { MQTT_TLS_ANY, MQTT_TLS_1_2, MQTT_TLS_1_3 };

/** All zero is right for most. Read by mqtt_openssl_new() and copied; what
 * callbacks and `context` name must outlive the layer kind. */
struct mqtt_tls_options {
    /* -- the server -- */

    /** Whom to trust. Neither: the system's store. A folder as openssl-rehash(1)
     * makes it is looked into during the handshake. */
    struct mqtt_tls_source ca;
    const char *ca_folder;
    /** Revocation lists [RFC 5280]. The server's certificate is looked up, and
     * with `crl_whole_chain` those above it too; a list that is missing or too
     * old fails the handshake with MQTT_ERR_TLS. */
    struct mqtt_tls_source crl;
    bool crl_whole_chain;
    /** A host name or an IP address that the certificate must be for, and that
     * is sent as the server name (SNI), instead of the host in the server's
     * address. A unix socket needs it. No name begins with a dot. */
    const char *server_name;
    /** Trust anybody: no chain and no name is looked at. Whoever is on the way
     * can read and change everything. For tests only. */
    bool insecure_no_verification;

    /* -- this side -- */

    /** Certificate chain, ours first, and its key; the key is looked for beside
     * the certificate if it has no source. */
    struct mqtt_tls_source certificate, key;
    /** For a key that is encrypted, or a token with a PIN: write at most `size`
     * bytes and tell how many, -1: there is none. Called by
     * mqtt_openssl_new(). NULL: such keys fail; nobody is ever asked at a
     * terminal. */
    int (*passphrase)(void *passphrase_context, char *out, int size);
    void *passphrase_context;
    /** A key that both sides know [RFC 4279; RFC 8446, section 2.2], for TLS
     * 1.2 and, with SHA-256, 1.3: identity of 1 to 255 bytes, key of 1 to 256.
     * A server that shows a certificate instead has it verified. */
    const char *psk_identity;
    struct mqtt_span psk;

    /* -- the protocol -- */

    enum mqtt_tls_version minimum, maximum;
    /** In OpenSSL's words: ciphers of TLS 1.2 ("ECDHE+AESGCM"), suites of 1.3
     * ("TLS_AES_128_GCM_SHA256"), groups ("X25519:P-256"). NULL: OpenSSL's, or
     * what the machine's openssl.cnf says. The security level is at least 1,
     * which refuses SHA-1 and keys below 80 bits of security; Debian has 2. */
    const char *ciphers, *cipher_suites, *groups;
    /** Names in the order of preference, with commas between, e.g. "mqtt"
     * [RFC 7301]; a server that knows the extension and none of them refuses;
     * one that does not know it is taken. */
    const char *alpn;
    /** Do every handshake in full. Otherwise each client keeps tickets of its
     * last four servers in memory, three of each; see tls_handshakes_resumed in
     * struct mqtt_statistics. A session is resumed only with the name for which
     * it was verified, and while the certificate then seen is valid. */
    bool no_resumption;

    /* -- beyond -- */

    /** For debugging with Wireshark: secrets of each connection, in the format
     * of NSS, one line a call, or appended to a file (made with mode 0600). The
     * hook is called in the thread of the client, amid its turn, and may call
     * nothing back. Whoever has them can read everything. */
    void (*key_log)(void *key_log_context, const char *line);
    void *key_log_context;
    const char *key_log_file;
    /** NULL: the default ones. `library` has the providers that URIs need
     * loaded; `properties` are OpenSSL's property query, e.g. "?provider=tpm2".
     * What a provider does to sign happens within the turn of the loop: a token
     * may take long. tpm2-openssl (1.1.1) needs a resource manager (/dev/tpmrm0
     * or tpm2-abrmd), TLS 1.3, and
     * "?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes,tpm2.rand!=yes": OpenSSL
     * copies digests, for which a TPM has no room. */
    struct ossl_lib_ctx_st *library;
    const char *properties;
    /**
     * A context of the application's, made for clients; a reference is taken,
     * nothing of it is changed, and it may be used elsewhere too. Only
     * server_name, alpn, insecure_no_verification and no_resumption may be set
     * beside it. The server is verified, by the context's store, also where the
     * context itself says SSL_VERIFY_NONE; renegotiation and versions below 1.2
     * are off. One ticket is kept, of the end of each connection.
     */
    struct ssl_ctx_st *context;
};

/**
 * Make a layer kind, for mqtt_host.tls or to be put together by hand. It may
 * serve many clients, also in different threads, each client in one. Reads
 * files, so it may take a while; not from inside the loop.
 *
 * `options` may be NULL: all zero. NULL on failure; then *error (if not NULL)
 * is MQTT_ERR_TLS_OPTIONS or MQTT_ERR_MEMORY, and `why`, if why_size > 0, has
 * words for it, NUL-terminated: which option, and what OpenSSL says of it.
 */
const struct mqtt_layer_kind *
mqtt_openssl_new(const struct mqtt_tls_options *options, enum mqtt_error *error,
                 char *why, size_t why_size);

/** When no client uses it any more. NULL is fine. */
void mqtt_openssl_free(const struct mqtt_layer_kind *kind);

#ifdef __cplusplus
}
#endif

#endif
