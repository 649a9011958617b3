/*
 * A client's key that never leaves its TPM: swtpm is one, tpm2-openssl brings it
 * to OpenSSL. A TPM has room for three objects, so tpm2-abrmd stands before it,
 * as the kernel does with /dev/tpmrm0; it wants a bus of its own.
 */
#include "tls_client.h"

#include <glob.h>
#include <netinet/in.h>
#include <openssl/provider.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its digests are slow, and OpenSSL copies them, for which it has no room. */
#define QUERY "?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes,tpm2.rand!=yes"

static pid_t bus, tpm, manager;

static bool all_is_installed(void)
{
    static const char *const files[] = {
        "/usr/bin/swtpm", "/usr/sbin/tpm2-abrmd", "/usr/bin/dbus-daemon"};
    glob_t module;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (access(files[i], X_OK) != 0) {
            print_message("skip: %s is not installed\n", files[i]);
            return false;
        }
    if (glob("/usr/lib/*/ossl-modules/tpm2.so", 0, NULL, &module) == 0) {
        globfree(&module);
        return true;
    }
    print_message("skip: tpm2-openssl is not installed\n");
    return false;
}

static void wait_for_file(const char *path)
{
    uint64_t until = milliseconds() + PATIENCE_MS;

    while (access(path, F_OK) != 0) {
        if (milliseconds() > until)
            fail_msg("nobody makes %s", path);
        moment();
    }
}

static void begin_bus(void)
{
    char address[160];

    snprintf(address, sizeof(address), "unix:path=%s", certificate("bus"));
    bus = program_start((const char *const[]){"dbus-daemon", "--session",
                                              "--nofork", "--address", address,
                                              NULL},
                        NULL);
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
    wait_for_file(certificate("bus"));
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good = !bind(descriptor, (struct sockaddr *)&address, sizeof(address));
    close(descriptor);
    return good;
}

/* Whoever talks to it takes the next port for its control. */
static uint16_t begin_tpm(void)
{
    uint16_t port = free_port();
    char server[80], control[80], state[160], pid_file[160];

    while (!is_free((uint16_t)(port + 1)))
        port = free_port();
    snprintf(server, sizeof(server),
             "type=tcp,port=%u,bindaddr=127.0.0.1,disconnect=false", port);
    snprintf(control, sizeof(control), "type=tcp,port=%u,bindaddr=127.0.0.1",
             port + 1u);
    snprintf(state, sizeof(state), "dir=%s", certificate("tpm"));
    snprintf(pid_file, sizeof(pid_file), "file=%s", certificate("tpm.pid"));
    assert_int_equal(mkdir(certificate("tpm"), 0700), 0);
    tpm = program_start(
        (const char *const[]){"swtpm", "socket", "--tpm2", "--server", server,
                              "--ctrl", control, "--tpmstate", state, "--pid",
                              pid_file, "--flags",
                              "not-need-init,startup-clear", NULL},
        NULL);
    wait_for_file(certificate("tpm.pid"));
    return port;
}

static void begin_manager(uint16_t port)
{
    char words[80];

    snprintf(words, sizeof(words), "--tcti=swtpm:host=127.0.0.1,port=%u", port);
    manager = program_start((const char *const[]){"tpm2-abrmd", "--session",
                                                  "--allow-root", words, NULL},
                            NULL);
    setenv("TPM2OPENSSL_TCTI", "tabrmd:bus_type=session", 1);
}

static void make_key(void)
{
    const char *const make[] = {"sh", SCRIPTS "tpm.sh", certificate("."), NULL};
    char *key;

    if (program_wait(program_start(make, NULL)) != 0)
        fail_msg("%s", content_of(certificate("log")));
    key = content_of(certificate("tpm.key"));
    assert_non_null(strstr(key, "TSS2 PRIVATE KEY"));
    free(key);
}

/* On TLS 1.3: the provider lacks what the key exchange of 1.2 is made of. */
static void connects(struct mqtt_tls_options *options)
{
    struct broker broker;
    struct client *c;

    broker_draft(&broker, "");
    snprintf(broker.more, sizeof(broker.more),
             "cafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n",
             certificate("ca.pem"), certificate("server.pem"),
             certificate("server.key"));
    broker_run(&broker);
    c = client_new("localhost", broker.port, options);
    c->may_be_slow = true;
    client_connect(c);
    wait_for(c, c->connected == 1 || c->disconnected > 0);
    if (c->disconnected)
        fail_msg("%s: %s", mqtt_error_text(c->error), c->detail);
    client_disconnect(c);
    client_free(c);
    broker_end(&broker);
}

static void a_key_in_a_tpm(void **state)
{
    char uri[160];
    struct mqtt_tls_options options = {.ca.file = certificate("ca.pem"),
                                       .certificate.file =
                                           certificate("tpm.pem"),
                                       .key.uri = uri,
                                       .properties = QUERY};
    OSSL_PROVIDER *ours, *theirs;

    (void)state;
    if (!all_is_installed())
        skip();
    begin_bus();
    begin_manager(begin_tpm());
    make_key();
    snprintf(uri, sizeof(uri), "file:%s", certificate("tpm.key"));
    options.library = OSSL_LIB_CTX_new();
    ours = OSSL_PROVIDER_load(options.library, "default");
    theirs = OSSL_PROVIDER_load(options.library, "tpm2");
    assert_non_null(theirs);
    connects(&options);
    OSSL_PROVIDER_unload(theirs);
    OSSL_PROVIDER_unload(ours);
    OSSL_LIB_CTX_free(options.library);
    program_stop(manager);
    program_stop(tpm);
    program_stop(bus);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_in_a_tpm),
    };

    return RUN_TESTS(argc, argv, "tls_tpm", tests);
}
