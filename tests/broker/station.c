#include "station.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ways ----------------------------------------------------------------- */

static struct way way_of(size_t index)
{
    return index % 2
               ? (struct way){drivings[index / 2], "5.0", &mqtt_protocol_5_0}
               : (struct way){drivings[index / 2], "3.1.1",
                              &mqtt_protocol_3_1_1};
}

bool speaks_5_0(const struct way *way)
{
    return way->protocol == &mqtt_protocol_5_0;
}

/* ---- what a station is told ---------------------------------------------- */

static void on_event(struct mqtt_client *client, const struct mqtt_event *event,
                     void *context)
{
    struct station *s = context;

    assert_ptr_equal(client, s->client);
    s->connected += event->type == MQTT_EVENT_CONNECTED;
    if (event->type == MQTT_EVENT_DISCONNECTED && !s->disconnected)
        s->first_error = event->error;
    s->disconnected += event->type == MQTT_EVENT_DISCONNECTED;
    s->subscribed += event->type == MQTT_EVENT_SUBSCRIBED;
    s->unsubscribed += event->type == MQTT_EVENT_UNSUBSCRIBED;
    s->room += event->type == MQTT_EVENT_ROOM;
    s->refused += event->type == MQTT_EVENT_REFUSED;
    s->too_large += event->type == MQTT_EVENT_MESSAGE_TOO_LARGE;
    if (event->type == MQTT_EVENT_CONNECTED)
        s->session_present = event->session_present;
    if (event->type == MQTT_EVENT_PUBLISHED) {
        s->acknowledged += event->outcome == MQTT_OUTCOME_ACKNOWLEDGED;
        s->lost += event->outcome != MQTT_OUTCOME_ACKNOWLEDGED;
        s->forbidden += event->outcome == MQTT_OUTCOME_FORBIDDEN;
        s->outcome = event->outcome;
        s->published_code = event->reason_code;
    }
    if (event->type == MQTT_EVENT_SERVER_DISCONNECT) {
        s->server_disconnects++;
        s->server_disconnect_code = event->reason_code;
    }
    s->woken += event->type == MQTT_EVENT_WOKEN;
    s->last = *event;
    if (event->type == MQTT_EVENT_DISCONNECTED)
        snprintf(s->detail, sizeof(s->detail), "%s",
                 event->detail ? event->detail : "");
    if (s->inside)
        s->inside(s, event);
}

/* NUL-terminated, to be freed. */
static char *copy_of(struct mqtt_span span)
{
    char *copy = calloc(1, span.size + 1);

    assert_non_null(copy);
    if (span.size)
        memcpy(copy, span.data, span.size);
    return copy;
}

static void on_message(struct mqtt_client *client,
                       const struct mqtt_message *message, void *context)
{
    struct station *s = context;
    struct letter *letter;

    (void)client;
    s->letters =
        realloc(s->letters, (s->letter_count + 1) * sizeof(*s->letters));
    assert_non_null(s->letters);
    letter = &s->letters[s->letter_count++];
    memset(letter, 0, sizeof(*letter));
    snprintf(letter->topic, sizeof(letter->topic), "%.*s",
             (int)message->topic_name.size,
             (const char *)message->topic_name.data);
    letter->size = message->payload.size;
    letter->payload = copy_of(message->payload);
    letter->properties.size = message->properties.size;
    letter->properties.data = copy_of(message->properties);
    letter->settle_handle = message->settle_handle;
    letter->payload_offset = message->payload_offset;
    letter->payload_size = message->payload_size;
    letter->qos = message->qos;
    letter->retain = message->retain;
    letter->dup = message->dup;
}

/* ---- stations ------------------------------------------------------------ */

struct station *station_draft(const struct way *way, uint16_t port)
{
    static unsigned number;
    struct station *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->way = *way;
    s->driving = way->driving;
    s->config.protocol = way->protocol;
    snprintf(s->address, sizeof(s->address), "127.0.0.1");
    snprintf(s->identifier, sizeof(s->identifier), "station-%d-%u",
             (int)getpid(), number++);
    s->server.port = port;
    s->config.connect.client_identifier = mqtt_text(s->identifier);
    s->config.server_count = 1;
    s->config.retry_base_ms = 5;
    s->config.retry_cap_ms = 50;
    s->config.on_event = on_event;
    s->config.on_message = on_message;
    s->config.context = s;
    return s;
}

void station_open(struct station *s)
{
    enum mqtt_error error;

    s->server.address = s->address;
    s->config.servers = s->config.servers ? s->config.servers : &s->server;
    s->client = mqtt_client_new(&s->config,
                                &(struct mqtt_host){.sizes = s->sizes,
                                                    .proxy = s->proxy,
                                                    .wakeable = s->wakeable},
                                &error);
    if (!s->client)
        fail_msg("no client: %s", mqtt_error_text(error));
    s->driving->begin(s);
}

struct station *station_new(const struct way *way, uint16_t port)
{
    struct station *s = station_draft(way, port);

    station_open(s);
    station_connect(s);
    return s;
}

void station_free(struct station *s)
{
    mqtt_client_free(s->client);
    s->driving->end(s);
    for (size_t i = 0; i < s->letter_count; i++) {
        free(s->letters[i].payload);
        free((void *)(uintptr_t)s->letters[i].properties.data);
    }
    free(s->letters);
    free(s);
}

void station_connect(struct station *s)
{
    unsigned before = s->connected;

    assert_int_equal(mqtt_connect(s->client), MQTT_OK);
    wait_for(s, s->connected > before);
}

void station_disconnect(struct station *s)
{
    assert_int_equal(mqtt_disconnect(s->client, PATIENCE_MS), MQTT_OK);
    wait_for(s, mqtt_client_state(s->client) == MQTT_CLIENT_STOPPED &&
                    s->last.type == MQTT_EVENT_DISCONNECTED);
    assert_int_equal(s->last.error, MQTT_OK);
}

void station_subscribe(struct station *s, const char *filter, enum mqtt_qos qos)
{
    unsigned before = s->subscribed;

    s->subscription.topic_filter = mqtt_text(filter);
    s->subscription.maximum_qos = qos;
    assert_int_equal(mqtt_subscribe(s->client, &s->subscription), MQTT_OK);
    wait_for(s, s->subscribed > before);
    assert_int_equal(s->last.reason_code, qos);
}

void station_publish(struct station *s, const char *topic, const char *payload,
                     enum mqtt_qos qos, bool retain)
{
    assert_int_equal(
        mqtt_publish(s->client, topic, payload, strlen(payload), qos, retain),
        MQTT_OK);
}

void station_publish_with(struct station *s, const char *topic,
                          const char *payload, enum mqtt_qos qos, bool retain,
                          struct mqtt_span properties)
{
    const struct mqtt_message message = {.topic_name = mqtt_text(topic),
                                         .payload = mqtt_text(payload),
                                         .qos = qos,
                                         .retain = retain,
                                         .properties = properties};

    assert_int_equal(mqtt_client_publish(s->client, &message, NULL), MQTT_OK);
}

void finish_exchanges(struct station *s)
{
    for (int i = 0; i < 2; i++) {
        unsigned before = s->acknowledged;

        station_publish(s, "round/trip", "", MQTT_QOS_1, false);
        wait_for(s, s->acknowledged > before);
    }
}

const struct letter *station_last(const struct station *s)
{
    assert_true(s->letter_count > 0);
    return &s->letters[s->letter_count - 1];
}

bool letter_says(const struct letter *letter, uint8_t identifier,
                 const char *text)
{
    struct mqtt_property property = {0};

    return mqtt_property_find(letter->properties, identifier, &property) &&
           property.text.size == strlen(text) &&
           memcmp(property.text.data, text, property.text.size) == 0;
}

uint32_t letter_number(const struct letter *letter, uint8_t identifier)
{
    struct mqtt_property property = {0};

    assert_true(mqtt_property_find(letter->properties, identifier, &property));
    return property.number;
}

/* ---- each test in each way ------------------------------------------------ */

static struct CMUnitTest in_way(const struct CMUnitTest *test,
                                const struct way *way)
{
    struct CMUnitTest result = *test;
    size_t size = strlen(test->name) + strlen(way->driving->name) +
                  strlen(way->version) + 6;
    char *name = malloc(size);

    assert_non_null(name);
    snprintf(name, size, "%s [%s, %s]", test->name, way->version,
             way->driving->name);
    result.name = name;
    result.initial_state = (void *)(uintptr_t)way;
    return result;
}

/* `only` names a version and a driving, NULL: all; a test may name one driving,
 * too. */
static bool runs_in(const struct CMUnitTest *test, const struct way *way,
                    const char *const only[2])
{
    return (!only[0] || strcmp(only[0], way->version) == 0) &&
           (!only[1] || strcmp(only[1], way->driving->name) == 0) &&
           (!test->initial_state || test->initial_state == way->driving);
}

static int run_here(const char *const only[2],
                    const struct station_group *group)
{
    size_t way_count = 2 * driving_count();
    size_t most = group->count * way_count, total = 0;
    struct CMUnitTest *all = calloc(most, sizeof(*all));
    struct way *ways = calloc(way_count, sizeof(*ways));
    int failed;

    assert_true(all && ways);
    for (size_t i = 0; i < way_count; i++)
        ways[i] = way_of(i);
    for (size_t i = 0; i < most; i++) {
        const struct CMUnitTest *test = &group->tests[i / way_count];
        const struct way *way = &ways[i % way_count];

        if (runs_in(test, way, only))
            all[total++] = in_way(test, way);
    }
    failed = _cmocka_run_group_tests(group->name, all, total, group->begin,
                                     group->end);
    /* Else lost, when the leak checker ends a program that failed. */
    fflush(stdout);
    for (size_t i = 0; i < total; i++)
        free((void *)(uintptr_t)all[i].name);
    free(all);
    free(ways);
    return failed || !total;
}

/* ---- drivings side by side: most of the time they wait --------------------- */

struct child {
    pid_t pid;
    FILE *output;
};

static struct child fork_driving(const char *version,
                                 const struct driving *driving,
                                 const struct station_group *group)
{
    const char *const only[2] = {version, driving->name};
    struct child child = {.output = tmpfile()};

    fflush(stdout);
    child.pid = child.output ? fork() : -1;
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fileno(child.output), STDOUT_FILENO);
        dup2(fileno(child.output), STDERR_FILENO);
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
        exit(run_here(only, group));
    }
    return child;
}

static int join(const struct child *child)
{
    char bytes[4096];
    size_t size;
    int status = 0;

    if (child->pid < 0 || waitpid(child->pid, &status, 0) != child->pid)
        return 1;
    rewind(child->output);
    while ((size = fread(bytes, 1, sizeof(bytes), child->output)) > 0)
        fwrite(bytes, 1, size, stdout);
    fclose(child->output);
    return status != 0;
}

int station_run_group(const char *version, const char *driving,
                      const struct station_group *group)
{
    const char *const only[2] = {version, driving};
    struct child children[MOST_DRIVINGS];
    size_t count = driving_count();
    int failed = 0;

    if (driving || count == 1)
        return run_here(only, group);
    for (size_t i = 0; i < count; i++)
        children[i] = fork_driving(version, drivings[i], group);
    for (size_t i = 0; i < count; i++)
        failed |= join(&children[i]);
    return failed;
}
