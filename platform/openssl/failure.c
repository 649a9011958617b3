/*
 * What OpenSSL says, in the words of mqttloop/types.h.
 */
#include "openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------ */

static void make_visible(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

void mqtt_tls_words(char *out, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    if (reason)
        snprintf(out, size, "%s", reason);
    else if (ERR_SYSTEM_ERROR(code))
        snprintf(out, size, "%s", strerror(ERR_GET_REASON(code)));
    else
        snprintf(out, size, "not what was expected");
    ERR_clear_error();
}

/* Some certificates have names only here, others only in the subject. */
static void print_names(BIO *out, const X509 *certificate)
{
    int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);

    if (at < 0)
        return;
    BIO_puts(out, ", ");
    X509V3_EXT_print(out, X509_get_ext(certificate, at), 0, 0);
}

void mqtt_tls_describe(const X509 *certificate, char *out, size_t size)
{
    BIO *text = BIO_new(BIO_s_mem());
    int got;

    out[0] = '\0';
    if (!text)
        return;
    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
                       XN_FLAG_ONELINE);
    print_names(text, certificate);
    got = BIO_read(text, out, (int)size - 1);
    out[got > 0 ? got : 0] = '\0';
    make_visible(out);
    BIO_free(text);
}

void mqtt_tls_fail(struct mqtt_tls *self, enum mqtt_error error,
                   const char *words)
{
    const char *host = self->name[0] ? self->name : "TLS";

    self->state = MQTT_TLS_FAILED;
    self->error = error;
    if (self->subject[0])
        snprintf(self->detail, sizeof self->detail, "%s: %s (certificate: %s)",
                 host, words, self->subject);
    else
        snprintf(self->detail, sizeof self->detail, "%s: %s", host, words);
    make_visible(self->detail);
}

/* ---- which error ------------------------------------------------------------- */

static enum mqtt_error of_verification(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return MQTT_ERR_TLS_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return MQTT_ERR_TLS_NOT_YET_VALID;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return MQTT_ERR_TLS_NAME;
    case X509_V_ERR_CERT_REVOKED:
        return MQTT_ERR_TLS_REVOKED;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return MQTT_ERR_TLS_WEAK;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_INVALID_CA:
        return MQTT_ERR_TLS_ISSUER;
    default:
        return MQTT_ERR_TLS;
    }
}

/* Before its ServerHello a server that fails says that nothing fits, or that it
 * does not know our key; after that, that it does not want us. */
static enum mqtt_error of_alert(const struct mqtt_tls *self, int alert)
{
    switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
        return MQTT_ERR_TLS_VERSION;
    case SSL_AD_INSUFFICIENT_SECURITY:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return MQTT_ERR_TLS_CIPHER;
    case SSL_AD_HANDSHAKE_FAILURE:
        return self->answered || self->kind->psk_size > 0 ? MQTT_ERR_TLS_REFUSED
                                                          : MQTT_ERR_TLS_CIPHER;
    default:
        return MQTT_ERR_TLS_REFUSED;
    }
}

static enum mqtt_error of_reason(int reason)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
    case SSL_R_UNKNOWN_SSL_VERSION:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return MQTT_ERR_TLS_VERSION;
    case SSL_R_WRONG_CIPHER_RETURNED:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_WRONG_CURVE:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return MQTT_ERR_TLS_CIPHER;
    case SSL_R_DH_KEY_TOO_SMALL:
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_WRONG_SIGNATURE_SIZE:
        return MQTT_ERR_TLS_WEAK;
    default:
        return MQTT_ERR_TLS;
    }
}

void mqtt_tls_fail_by_openssl(struct mqtt_tls *self)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    long result = SSL_get_verify_result(self->ssl);
    enum mqtt_error error = of_reason(reason);
    char words[MQTT_TLS_WORDS_MAX];

    mqtt_tls_words(words, sizeof words);
    if (self->state == MQTT_TLS_FAILED)
        return; /* by the BIO, which knows more */
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        error = of_verification(result);
        snprintf(words, sizeof words, "%s",
                 X509_verify_cert_error_string(result));
    } else if (reason > SSL_AD_REASON_OFFSET) {
        error = of_alert(self, reason - SSL_AD_REASON_OFFSET);
    } else if (reason == SSL_R_WRONG_VERSION_NUMBER && !self->answered) {
        snprintf(words, sizeof words, "what the server speaks is not TLS");
    }
    mqtt_tls_fail(self, error, words);
}
