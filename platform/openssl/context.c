/*
 * From options to a context that clients share.
 */
#include "openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* OpenSSL's own default of 100 is a server's to fill. */
#define DEEPEST_CHAIN 10

/* Where it went wrong: what is checked, in turn, and who wants to know. */
struct making {
    const struct mqtt_tls_options *options;
    struct mqtt_tls_kind *kind;
    char *why;
    size_t why_size;
};

static bool refuse(const struct making *m, const char *option,
                   const char *words)
{
    if (m->why_size > 0)
        snprintf(m->why, m->why_size, "%s: %s", option, words);
    ERR_clear_error();
    return false;
}

/* Whether it was good; else the option is to blame. */
static bool must(const struct making *m, bool good, const char *option)
{
    char words[MQTT_TLS_WORDS_MAX];

    if (good)
        return true;
    mqtt_tls_words(words, sizeof words);
    return refuse(m, option, words);
}

/* ---- hooks of OpenSSL -------------------------------------------------------- */

static struct mqtt_tls_kind *kind_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct mqtt_tls *self = SSL_get_app_data(ssl);

    mqtt_tls_sessions_put(&self->sessions, session);
    return 1;
}

static unsigned give_psk(SSL *ssl, const char *hint, char *identity,
                         unsigned identity_size, unsigned char *key,
                         unsigned key_size)
{
    const struct mqtt_tls_kind *kind = kind_of(ssl);

    (void)hint;
    if (strlen(kind->psk_identity) >= identity_size ||
        kind->psk_size > key_size)
        return 0;
    strcpy(identity, kind->psk_identity);
    memcpy(key, kind->psk, kind->psk_size);
    return kind->psk_size;
}

/* One call a line, so that lines of several threads stay whole. */
static void log_key(const SSL *ssl, const char *line)
{
    const struct mqtt_tls_kind *kind = kind_of(ssl);

    if (kind->key_log)
        kind->key_log(kind->key_log_context, line);
    if (kind->key_log_file)
        fprintf(kind->key_log_file, "%s\n", line);
}

/* ---- options, by subject ------------------------------------------------------ */

static bool is_one(const struct mqtt_tls_source *source)
{
    return !!source->file + !!source->bytes.data + !!source->uri <= 1;
}

static bool set_trust(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    struct mqtt_tls_loader loader = {options, m->kind->context};
    bool given = mqtt_tls_is_given(&options->ca);
    unsigned long flags = X509_V_FLAG_CRL_CHECK;

    if (!must(m, is_one(&options->ca) && is_one(&options->crl), "ca, crl"))
        return false;
    if (given && !must(m, mqtt_tls_load_ca(&loader), "ca"))
        return false;
    if (options->ca_folder &&
        !must(m, SSL_CTX_load_verify_dir(loader.context, options->ca_folder),
              "ca_folder"))
        return false;
    if (!given && !options->ca_folder)
        SSL_CTX_set_default_verify_paths(loader.context);
    if (!mqtt_tls_is_given(&options->crl))
        return true;
    if (options->crl_whole_chain)
        flags |= X509_V_FLAG_CRL_CHECK_ALL;
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(loader.context), flags);
    return must(m, mqtt_tls_load_crl(&loader), "crl");
}

static bool set_certificate(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    struct mqtt_tls_loader loader = {options, m->kind->context};

    if (!is_one(&options->certificate) || !is_one(&options->key))
        return refuse(m, "certificate, key", "more than one source");
    if (!mqtt_tls_is_given(&options->certificate))
        return !mqtt_tls_is_given(&options->key) ||
               refuse(m, "key", "a key without a certificate");
    return must(m, mqtt_tls_load_certificate(&loader), "certificate") &&
           must(m, mqtt_tls_load_key(&loader), "key");
}

static bool set_psk(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    const char *identity = options->psk_identity;

    if (!identity && !options->psk.data)
        return true;
    if (!identity || !identity[0] ||
        strlen(identity) >= sizeof m->kind->psk_identity)
        return refuse(m, "psk_identity", "it has 1 to 255 bytes");
    if (!options->psk.data || options->psk.size == 0 ||
        options->psk.size > sizeof m->kind->psk)
        return refuse(m, "psk", "it has 1 to 256 bytes");
    strcpy(m->kind->psk_identity, identity);
    memcpy(m->kind->psk, options->psk.data, options->psk.size);
    m->kind->psk_size = (unsigned)options->psk.size;
    SSL_CTX_set_psk_client_callback(m->kind->context, give_psk);
    return true;
}

static int version_number(enum mqtt_tls_version version, int otherwise)
{
    switch (version) {
    case MQTT_TLS_1_2:
        return TLS1_2_VERSION;
    case MQTT_TLS_1_3:
        return TLS1_3_VERSION;
    default:
        return otherwise;
    }
}

static bool set_versions(const struct making *m)
{
    int lowest = version_number(m->options->minimum, TLS1_2_VERSION);
    int highest = version_number(m->options->maximum, TLS1_3_VERSION);

    if (lowest > highest)
        return refuse(m, "minimum, maximum", "no version is left");
    return must(m,
                SSL_CTX_set_min_proto_version(m->kind->context, lowest) &&
                    SSL_CTX_set_max_proto_version(m->kind->context, highest),
                "minimum, maximum");
}

static bool set_ciphers(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    SSL_CTX *context = m->kind->context;

    return must(m,
                !options->ciphers ||
                    SSL_CTX_set_cipher_list(context, options->ciphers),
                "ciphers") &&
           must(m,
                !options->cipher_suites ||
                    SSL_CTX_set_ciphersuites(context, options->cipher_suites),
                "cipher_suites") &&
           must(m,
                !options->groups ||
                    SSL_CTX_set1_groups_list(context, options->groups),
                "groups");
}

static bool set_key_log(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    struct mqtt_tls_kind *kind = m->kind;
    int descriptor;

    kind->key_log = options->key_log;
    kind->key_log_context = options->key_log_context;
    if (options->key_log_file) {
        descriptor = open(options->key_log_file,
                          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        kind->key_log_file = descriptor < 0 ? NULL : fdopen(descriptor, "a");
        if (!kind->key_log_file)
            return refuse(m, "key_log_file", strerror(errno));
        setvbuf(kind->key_log_file, NULL, _IOLBF, BUFSIZ);
    }
    if (kind->key_log || kind->key_log_file)
        SSL_CTX_set_keylog_callback(kind->context, log_key);
    return true;
}

/* Each name with its length before it, as on the wire. */
static bool set_alpn(const struct making *m)
{
    const char *name = m->options->alpn;
    struct mqtt_tls_kind *kind = m->kind;

    while (name) {
        size_t size = strcspn(name, ",");

        if (size == 0 || size > 255 ||
            kind->alpn_size + 1 + size > sizeof kind->alpn)
            return refuse(m, "alpn", "a name is empty, or all are too long");
        kind->alpn[kind->alpn_size++] = (unsigned char)size;
        memcpy(kind->alpn + kind->alpn_size, name, size);
        kind->alpn_size += (unsigned)size;
        name = name[size] ? name + size + 1 : NULL;
    }
    return true;
}

static bool set_name(const struct making *m)
{
    const char *name = m->options->server_name;

    if (name && (!name[0] || name[0] == '.' ||
                 strlen(name) >= sizeof m->kind->server_name))
        return refuse(m, "server_name",
                      "it is empty, begins with a dot, or is too long");
    if (name)
        strcpy(m->kind->server_name, name);
    return true;
}

/* ---- the context --------------------------------------------------------------- */

static bool set_basics(const struct making *m)
{
    SSL_CTX *context = m->kind->context;

    if (!SSL_CTX_set_app_data(context, m->kind))
        return false; /* our callbacks need it */
    SSL_CTX_set_verify_depth(context, DEEPEST_CHAIN);
    if (!m->kind->resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return true;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    return true;
}

static bool make_context(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;

    m->kind->context = SSL_CTX_new_ex(options->library, options->properties,
                                      TLS_client_method());
    if (!must(m, m->kind->context && set_basics(m), "library"))
        return false;
    return set_versions(m) && set_ciphers(m) && set_trust(m) &&
           set_certificate(m) && set_psk(m) && set_key_log(m);
}

/* What stands in the context already. */
static bool take_context(const struct making *m)
{
    const struct mqtt_tls_options *o = m->options;

    if (mqtt_tls_is_given(&o->ca) || o->ca_folder ||
        mqtt_tls_is_given(&o->crl) || mqtt_tls_is_given(&o->certificate) ||
        mqtt_tls_is_given(&o->key) || o->psk_identity || o->psk.data ||
        o->minimum || o->maximum || o->ciphers || o->cipher_suites ||
        o->groups || o->key_log || o->key_log_file || o->library ||
        o->properties || o->passphrase || o->crl_whole_chain)
        return refuse(m, "context", "an option beside it is the context's");
    m->kind->own_context = true;
    m->kind->context = o->context;
    return SSL_CTX_up_ref(o->context);
}

static const struct mqtt_layer_kind functions = {mqtt_tls_size, mqtt_tls_init,
                                                 mqtt_tls_end};

static bool make(const struct making *m)
{
    const struct mqtt_tls_options *options = m->options;
    struct mqtt_tls_kind *kind = m->kind;

    kind->kind = functions;
    kind->insecure = options->insecure_no_verification;
    kind->resume = !options->no_resumption;
    kind->method = mqtt_tls_bio_method();
    ERR_clear_error();
    return must(m, kind->method != NULL, "library") && set_name(m) &&
           set_alpn(m) &&
           (options->context ? take_context(m) : make_context(m));
}

const struct mqtt_layer_kind *
mqtt_openssl_new(const struct mqtt_tls_options *options, enum mqtt_error *error,
                 char *why, size_t why_size)
{
    static const struct mqtt_tls_options all_default;
    struct making m = {options ? options : &all_default,
                       calloc(1, sizeof *m.kind), why, why_size};
    enum mqtt_error ignored;

    if (!error)
        error = &ignored;
    *error = m.kind ? MQTT_OK : MQTT_ERR_MEMORY;
    if (!m.kind) {
        refuse(&m, "options", "the machine has no memory");
        return NULL;
    }
    if (make(&m)) {
        ERR_clear_error();
        return &m.kind->kind;
    }
    *error = MQTT_ERR_TLS_OPTIONS;
    mqtt_openssl_free(&m.kind->kind);
    return NULL;
}

void mqtt_openssl_free(const struct mqtt_layer_kind *layer_kind)
{
    struct mqtt_tls_kind *kind = (struct mqtt_tls_kind *)(uintptr_t)layer_kind;

    if (!kind)
        return;
    SSL_CTX_free(kind->context);
    BIO_meth_free(kind->method);
    if (kind->key_log_file)
        fclose(kind->key_log_file);
    OPENSSL_cleanse(kind->psk, sizeof kind->psk);
    free(kind);
}
