/*
 * Certificates, keys and revocation lists: files and bytes go the way of
 * OSSL_STORE URIs, so all of them may be all that OpenSSL can read.
 */
#include "openssl.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

/* Told of each object; false: it cannot be used. */
typedef bool taker(SSL_CTX *context, OSSL_STORE_INFO *info, unsigned number);

bool mqtt_tls_is_given(const struct mqtt_tls_source *source)
{
    return source->file || source->bytes.data || source->uri;
}

/* Nobody is asked at a terminal, which is what OpenSSL does by default. */
static int passphrase(char *out, int size, int writing, void *user)
{
    const struct mqtt_tls_options *options = user;

    (void)writing;
    return options->passphrase
               ? options->passphrase(options->passphrase_context, out, size)
               : -1;
}

static BIO *bytes_of(const struct mqtt_tls_source *source)
{
    if (source->file)
        return BIO_new_file(source->file, "rb");
    if (source->bytes.size > INT_MAX)
        return NULL;
    return BIO_new_mem_buf(source->bytes.data, (int)source->bytes.size);
}

/* *bio is to be freed after the store. */
static OSSL_STORE_CTX *open_store(const struct mqtt_tls_loader *loader,
                                  const struct mqtt_tls_source *source,
                                  UI_METHOD *ui, BIO **bio)
{
    const struct mqtt_tls_options *options = loader->options;
    void *user = (void *)(uintptr_t)options;

    if (source->uri)
        return OSSL_STORE_open_ex(source->uri, options->library,
                                  options->properties, ui, user, NULL, NULL,
                                  NULL);
    *bio = bytes_of(source);
    if (!*bio)
        return NULL;
    return OSSL_STORE_attach(*bio, "file", options->library,
                             options->properties, ui, user, NULL, NULL, NULL);
}

/* What comes between: objects of other types, and, at the end of a file, an
 * error that is none. A store that is really broken may never end. */
#define MOST_NOTHING 100

/* Objects of one type, until there is no more. How many there were; -1: one
 * cannot be used. */
static int take_all(OSSL_STORE_CTX *store, int type, SSL_CTX *context,
                    taker *take)
{
    OSSL_STORE_INFO *info;
    unsigned number = 0, nothing = 0;
    bool good = OSSL_STORE_expect(store, type);

    while (good && !OSSL_STORE_eof(store) && nothing < MOST_NOTHING) {
        info = OSSL_STORE_load(store);
        if (info && OSSL_STORE_INFO_get_type(info) == type)
            good = take(context, info, number++);
        else
            nothing++;
        OSSL_STORE_INFO_free(info);
    }
    return good ? (int)number : -1;
}

static bool load(const struct mqtt_tls_loader *loader,
                 const struct mqtt_tls_source *source, int type, taker *take)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(passphrase, 0);
    OSSL_STORE_CTX *store = NULL;
    BIO *bio = NULL;
    int count = -1;

    ERR_clear_error();
    if (ui)
        store = open_store(loader, source, ui, &bio);
    if (store)
        count = take_all(store, type, loader->context, take);
    OSSL_STORE_close(store);
    BIO_free(bio);
    UI_destroy_method(ui);
    return count > 0;
}

/* ---- what is done with them ----------------------------------------------- */

static bool take_ca(SSL_CTX *context, OSSL_STORE_INFO *info, unsigned number)
{
    (void)number;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context),
                               OSSL_STORE_INFO_get0_CERT(info));
}

static bool take_crl(SSL_CTX *context, OSSL_STORE_INFO *info, unsigned number)
{
    (void)number;
    return X509_STORE_add_crl(SSL_CTX_get_cert_store(context),
                              OSSL_STORE_INFO_get0_CRL(info));
}

static bool take_certificate(SSL_CTX *context, OSSL_STORE_INFO *info,
                             unsigned number)
{
    X509 *certificate = OSSL_STORE_INFO_get0_CERT(info);

    if (number == 0)
        return SSL_CTX_use_certificate(context, certificate);
    return SSL_CTX_add1_chain_cert(context, certificate);
}

static bool take_key(SSL_CTX *context, OSSL_STORE_INFO *info, unsigned number)
{
    return number > 0 ||
           SSL_CTX_use_PrivateKey(context, OSSL_STORE_INFO_get0_PKEY(info));
}

bool mqtt_tls_load_ca(const struct mqtt_tls_loader *loader)
{
    return load(loader, &loader->options->ca, OSSL_STORE_INFO_CERT, take_ca);
}

bool mqtt_tls_load_crl(const struct mqtt_tls_loader *loader)
{
    return load(loader, &loader->options->crl, OSSL_STORE_INFO_CRL, take_crl);
}

bool mqtt_tls_load_certificate(const struct mqtt_tls_loader *loader)
{
    return load(loader, &loader->options->certificate, OSSL_STORE_INFO_CERT,
                take_certificate);
}

bool mqtt_tls_load_key(const struct mqtt_tls_loader *loader)
{
    const struct mqtt_tls_options *options = loader->options;
    const struct mqtt_tls_source *source = mqtt_tls_is_given(&options->key)
                                               ? &options->key
                                               : &options->certificate;

    return load(loader, source, OSSL_STORE_INFO_PKEY, take_key) &&
           SSL_CTX_check_private_key(loader->context);
}
