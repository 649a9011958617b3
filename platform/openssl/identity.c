/*
 * Who the server must be.
 */
#include "openssl.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 ||
           inet_pton(AF_INET6, name, bytes) == 1;
}

/* Without a zone (fe80::1%eth0), which means something on this machine only,
 * and without the dot that ends an absolute name [RFC 6066, section 3]. */
static size_t size_of_name(struct mqtt_span host)
{
    const char *text = host.data;
    const char *zone =
        memchr(text, ':', host.size) ? memchr(text, '%', host.size) : NULL;
    size_t size = zone ? (size_t)(zone - text) : host.size;

    return size > 0 && text[size - 1] == '.' ? size - 1 : size;
}

bool mqtt_tls_identify(struct mqtt_tls *self, const struct mqtt_server *server,
                       uint16_t *port)
{
    struct mqtt_span host = mqtt_text(self->kind->server_name);
    struct mqtt_url url;
    size_t size;

    if (mqtt_url_read(server, &url) != MQTT_OK)
        return false;
    *port = url.port;
    self->name[0] = '\0';
    if (host.size == 0)
        host = url.host;
    size = host.data ? size_of_name(host) : 0;
    if (size == 0 || size >= sizeof self->name)
        return self->kind->insecure && size == 0;
    if (*(const char *)host.data == '.')
        return false; /* for OpenSSL that is any name below it */
    memcpy(self->name, host.data, size);
    self->name[size] = '\0';
    self->name_is_address = is_address(self->name);
    return true;
}

static bool verify_name(struct mqtt_tls *self)
{
    X509_VERIFY_PARAM *wanted = SSL_get0_param(self->ssl);

    X509_VERIFY_PARAM_set_hostflags(wanted,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (self->name_is_address)
        return X509_VERIFY_PARAM_set1_host(wanted, NULL, 0) &&
               X509_VERIFY_PARAM_set1_ip_asc(wanted, self->name);
    return X509_VERIFY_PARAM_set1_host(wanted, self->name, 0);
}

bool mqtt_tls_expect(struct mqtt_tls *self)
{
    bool insecure = self->kind->insecure;

    SSL_set_verify(self->ssl, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                   self->kind->own_context ? NULL : mqtt_tls_verify);
    if (self->name[0] && !self->name_is_address &&
        !SSL_set_tlsext_host_name(self->ssl, self->name))
        return false;
    return insecure || verify_name(self);
}

int mqtt_tls_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct mqtt_tls *self = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (!good && certificate)
        mqtt_tls_describe(certificate, self->subject, sizeof self->subject);
    return good;
}
