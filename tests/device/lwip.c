/*
 * lwip.c - the transport over lwIP, with lwIP as its own server: on a network in
 * memory that may be cut, in a time that passes when the test lets it. The exit
 * code is the outcome; the console names each test.
 */
#include "board.h"

#include <lwip/dns.h>
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/mem.h>
#include <lwip/memp.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <mqttloop/client.h>
#include <mqttloop/lwip.h>
#include <string.h>

/* ---- outcome ----------------------------------------------------------------- */

#define CHECK(good)                                                            \
    do {                                                                       \
        if (!(good))                                                           \
            fails(#good, __LINE__);                                            \
    } while (0)

static _Noreturn void fails(const char *what, uint32_t line)
{
    board_print("FAILED, line ");
    board_print_number(line);
    board_print(": ");
    board_print(what);
    board_print("\n");
    cortex_m_exit(1);
}

/* ---- a network of one: what leaves comes back ----------------------------------- */

#define FRAMES 64u
#define FRAME_SIZE 1500u

static struct netif wire;
static struct {
    uint8_t bytes[FRAME_SIZE];
    uint16_t size;
} frames[FRAMES];
static unsigned first_frame, frame_count;
static bool cut;
static uint32_t now_ms;

uint32_t sys_now(void)
{
    return now_ms;
}

uint32_t board_random(void)
{
    static uint32_t bits;

    bits = bits * 1664525u + 1013904223u;
    return bits ^ bits >> 16;
}

static err_t leaves(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    unsigned at = (first_frame + frame_count) % FRAMES;

    (void)netif, (void)to;
    if (cut || frame_count == FRAMES)
        return ERR_OK;
    frames[at].size = pbuf_copy_partial(p, frames[at].bytes, FRAME_SIZE, 0);
    frame_count++;
    return ERR_OK;
}

static void comes_back(void)
{
    unsigned at = first_frame;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, frames[at].size, PBUF_POOL);

    first_frame = (first_frame + 1) % FRAMES;
    frame_count--;
    if (!p)
        return; /* lost */
    CHECK(pbuf_take(p, frames[at].bytes, frames[at].size) == ERR_OK);
    if (wire.input(p, &wire) != ERR_OK)
        pbuf_free(p);
}

static void settle(void)
{
    while (frame_count)
        comes_back();
}

static void pass(uint32_t ms)
{
    for (; ms; ms = ms > 50 ? ms - 50 : 0) {
        settle();
        now_ms += 50;
        sys_check_timeouts();
    }
    settle();
}

static err_t begin_wire(struct netif *netif)
{
    netif->output = leaves;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static ip_addr_t here;

static void begin_network(void)
{
    ip4_addr_t mask;

    IP4_ADDR(&here, 10, 0, 0, 1);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    lwip_init();
    netif_add(&wire, &here, &mask, &here, NULL, begin_wire, ip_input);
    netif_set_default(&wire);
    netif_set_up(&wire);
    dns_setserver(0, &here);
}

/* ---- a server: it takes what comes, and says what it is told ----------------------- */

#define PORT 1883

static struct {
    struct tcp_pcb *pcb;
    uint32_t received;
    uint8_t first[16]; /* of what was received */
    bool ended;
} server;

static void server_lost(void *arg, err_t error)
{
    (void)arg, (void)error;
    server.pcb = NULL;
}

static err_t server_gets(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                         err_t error)
{
    (void)arg, (void)error;
    if (!p) {
        server.ended = true;
        return ERR_OK;
    }
    if (server.received < sizeof(server.first))
        pbuf_copy_partial(p, server.first + server.received,
                          (u16_t)(sizeof(server.first) - server.received), 0);
    server.received += p->tot_len;
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t server_accepts(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg, (void)error;
    memset(&server, 0, sizeof(server));
    server.pcb = pcb;
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, server_gets);
    tcp_err(pcb, server_lost);
    return ERR_OK;
}

static void begin_server(void)
{
    struct tcp_pcb *pcb = tcp_new();

    CHECK(tcp_bind(pcb, IP_ANY_TYPE, PORT) == ERR_OK);
    pcb = tcp_listen(pcb);
    CHECK(pcb);
    tcp_accept(pcb, server_accepts);
}

static void server_says(const void *bytes, size_t size)
{
    CHECK(tcp_write(server.pcb, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY) ==
          ERR_OK);
    CHECK(tcp_output(server.pcb) == ERR_OK);
    settle();
}

/* As a host does: what it sent before stays sent. */
static void server_ends(void)
{
    if (server.pcb) {
        tcp_err(server.pcb, NULL);
        CHECK(tcp_close(server.pcb) == ERR_OK);
    }
    server.pcb = NULL;
    settle();
}

static void server_resets(void)
{
    if (server.pcb)
        tcp_abort(server.pcb);
    settle();
}

/* ---- a name server: it answers when it is told ------------------------------------- */

static struct {
    struct udp_pcb *pcb;
    uint8_t query[128];
    uint16_t size, port;
    ip_addr_t from;
    unsigned queries;
} names;

static void names_asked(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                        const ip_addr_t *from, u16_t port)
{
    (void)arg, (void)pcb;
    names.size = pbuf_copy_partial(p, names.query, sizeof(names.query), 0);
    names.from = *from;
    names.port = port;
    names.queries++;
    pbuf_free(p);
}

static void begin_names(void)
{
    names.pcb = udp_new();
    CHECK(names.pcb);
    CHECK(udp_bind(names.pcb, IP_ANY_TYPE, 53) == ERR_OK);
    udp_recv(names.pcb, names_asked, NULL);
}

/* The last query, answered; for an hour, or that there is no such name. */
static void names_answers(bool known)
{
    static const uint8_t answer[] = {0xC0, 12,   0, 1, 0,  1, 0, 0,
                                     0x0E, 0x10, 0, 4, 10, 0, 0, 1};
    struct pbuf *p =
        pbuf_alloc(PBUF_TRANSPORT, (u16_t)(names.size + 16), PBUF_RAM);

    CHECK(p && names.size > 12);
    names.query[2] = 0x81;
    names.query[3] = known ? 0x80 : 0x83;
    names.query[7] = known;
    pbuf_take(p, names.query, names.size);
    pbuf_take_at(p, answer, sizeof(answer), names.size);
    CHECK(udp_sendto(names.pcb, p, &names.from, names.port) == ERR_OK);
    pbuf_free(p);
    settle();
}

/* ---- the transport --------------------------------------------------------------- */

static struct mqtt_lwip network;
static struct mqtt_transport *const t = &network.transport;
static unsigned wakes;

static void on_wake(void *context)
{
    (void)context;
    wakes++;
}

static void begins(const char *address)
{
    static struct mqtt_server to;

    to = (struct mqtt_server){address, PORT};
    t->ops->open(t, &to, 0);
    settle();
}

static void connects(void)
{
    begins("10.0.0.1");
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPEN);
    CHECK(server.pcb);
}

static void closes(void)
{
    t->ops->close(t);
    settle();
    CHECK(!network.pcb_ && !network.received_);
}

static bool has_failed(enum mqtt_error wanted, const char *words)
{
    const char *detail = "";

    return t->ops->advance(t, 0) == MQTT_TRANSPORT_FAILED &&
           t->ops->error(t, &detail) == wanted && !strcmp(detail, words);
}

static void expect_received(const char *text)
{
    char got[32];
    size_t size = 0;
    ptrdiff_t n;

    while (size < strlen(text) &&
           (n = t->ops->recv(t, got + size, sizeof(got) - size)) > 0)
        size += (size_t)n;
    CHECK(size == strlen(text) && !memcmp(got, text, size));
}

/* All that lwIP gave is given back, when the last of its timers has run. */
static void nothing_is_left(void)
{
    server_ends();
    closes();
    pass(200000);
    CHECK(!tcp_active_pcbs && !tcp_tw_pcbs);
    CHECK(lwip_stats.memp[MEMP_PBUF_POOL]->used == 0);
    CHECK(lwip_stats.memp[MEMP_TCP_SEG]->used == 0);
    CHECK(lwip_stats.mem.used == 0);
}

/* ---- tests ------------------------------------------------------------------------ */

static void bytes_go_both_ways(void)
{
    char byte;

    connects();
    CHECK(t->ops->send(t, "hello", 5) == 5);
    CHECK(t->ops->flush(t) == 0);
    settle();
    CHECK(server.received == 5 && !memcmp(server.first, "hello", 5));
    server_says("ab", 2);
    server_says("c", 1);
    CHECK(t->ops->recv(t, &byte, 1) == 1 && byte == 'a');
    expect_received("bc");
    CHECK(t->ops->recv(t, &byte, 1) == MQTT_IO_WAIT);
    server_ends();
    CHECK(t->ops->recv(t, &byte, 1) == MQTT_IO_END);
}

static void what_is_sent_leaves_though_it_is_closed_at_once(void)
{
    connects();
    CHECK(t->ops->send(t, "bye", 3) == 3);
    closes();
    CHECK(server.received == 3 && server.ended);
}

static void it_leaves_though_not_all_was_read(void)
{
    connects();
    server_says("one two", 7);
    expect_received("one two");
    server_says("more", 4);
    server_says("and more", 8);
    CHECK(t->ops->recv(t, (char[1]){0}, 1) == 1);
    CHECK(t->ops->send(t, "bye", 3) == 3);
    closes();
    CHECK(server.received == 3 && server.ended);
}

static void who_does_not_read_holds_its_server_back(void)
{
    static uint8_t large[20000], got[1000];
    uint32_t count = 0;
    ptrdiff_t n;

    connects();
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i * 7 + (i >> 8));
    CHECK(tcp_write(server.pcb, large, sizeof(large), 0) == ERR_OK);
    tcp_output(server.pcb);
    pass(5000);
    CHECK(network.received_->tot_len <= TCP_WND);
    for (int i = 0; i < 1000 && count < sizeof(large); i++) {
        while ((n = t->ops->recv(t, got, 1 + count % 999)) > 0) {
            CHECK(!memcmp(got, large + count, (size_t)n));
            count += (uint32_t)n;
        }
        CHECK(n == MQTT_IO_WAIT);
        pass(100);
    }
    CHECK(count == sizeof(large));
}

static void without_memory_it_waits_and_asks_again(void)
{
    void *taken[40];
    unsigned n = 0, before;

    connects();
    for (size_t size = 100000; size >= 16; size /= 2)
        while (n < 40 && (taken[n] = mem_malloc((mem_size_t)size)) != NULL)
            n++;
    CHECK(t->ops->send(t, "hello", 5) == MQTT_IO_WAIT);
    before = wakes;
    while (n)
        mem_free(taken[--n]);
    pass(1000);
    CHECK(wakes > before);
    CHECK(t->ops->send(t, "hello", 5) == 5);
    CHECK(t->ops->flush(t) == 0);
    before = wakes;
    pass(60000);
    CHECK(wakes == before); /* nobody waits */
    CHECK(server.received == 5);
}

/* Both sides have ended: lwIP frees the connection without a word, and somebody
 * else may have its memory next. */
static void a_connection_that_has_ended_is_not_touched(void)
{
    struct tcp_pcb *ended, *other[MEMP_NUM_TCP_PCB];
    unsigned n = 0;
    bool same = false;

    connects();
    ended = network.pcb_;
    t->ops->finish(t);
    settle();
    server_says("late", 4);
    server_ends();
    CHECK(t->ops->send(t, "x", 1) == MQTT_IO_WAIT);
    pass(200000);
    while (n < MEMP_NUM_TCP_PCB && (other[n] = tcp_new()) != NULL)
        same |= other[n++] == ended;
    CHECK(same);
    expect_received("late");
    CHECK(t->ops->recv(t, (char[1]){0}, 1) == MQTT_IO_END);
    for (unsigned i = 0; i < n; i++)
        tcp_arg(other[i], &server);
    closes();
    for (unsigned i = 0; i < n; i++)
        CHECK(other[i]->callback_arg == &server);
    while (n)
        CHECK(tcp_close(other[--n]) == ERR_OK);
}

/* The server first, and lwIP tells of the end as of an error. */
static void an_orderly_end_is_no_error(void)
{
    connects();
    server_says("last", 4);
    server_ends();
    t->ops->finish(t);
    pass(5000);
    CHECK(!network.pcb_);
    expect_received("last");
    CHECK(t->ops->recv(t, (char[1]){0}, 1) == MQTT_IO_END);
}

static void what_came_before_a_reset_is_read(void)
{
    const char *detail = "";

    connects();
    server_says("why", 3);
    server_resets();
    CHECK(t->ops->send(t, "x", 1) == MQTT_IO_WAIT);
    expect_received("why");
    CHECK(t->ops->recv(t, (char[1]){0}, 1) == MQTT_IO_FAILED);
    CHECK(t->ops->error(t, &detail) == MQTT_ERR_NETWORK);
    CHECK(!strcmp(detail, "connection reset"));
}

/* ...but who does not read, for it has to send first, does not wait for ever. */
static void a_reset_is_told_in_the_next_turn(void)
{
    unsigned before;

    connects();
    server_says("why", 3);
    server_resets();
    CHECK(t->ops->send(t, "x", 1) == MQTT_IO_WAIT);
    before = wakes;
    t->ops->want(t, MQTT_WRITE);
    CHECK(wakes > before);
    CHECK(t->ops->send(t, "x", 1) == MQTT_IO_FAILED);
}

/* A link that comes and goes leaves connections that nobody answers, for many
 * minutes. They are not in the way of a new one. */
static void given_up_connections_make_room(void)
{
    for (unsigned i = 0; i < 2 * MEMP_NUM_TCP_PCB; i++) {
        connects();
        cut = true;
        CHECK(t->ops->send(t, "lost", 4) == 4);
        closes();
        server_resets();
        pass(1000);
        cut = false;
    }
    pass(2000000);
}

static void a_cut_wire_is_told_in_time(void)
{
    connects();
    cut = true;
    CHECK(t->ops->send(t, "lost", 4) == 4);
    t->ops->flush(t);
    pass(6000000);
    cut = false;
    CHECK(t->ops->recv(t, (char[1]){0}, 1) == MQTT_IO_FAILED);
    CHECK(has_failed(MQTT_ERR_NETWORK, "what was sent is not answered"));
}

static void a_cut_wire_comes_back(void)
{
    connects();
    netif_set_link_down(&wire);
    cut = true;
    CHECK(t->ops->send(t, "kept", 4) == 4);
    t->ops->flush(t);
    pass(10000);
    netif_set_link_up(&wire);
    cut = false;
    pass(60000);
    CHECK(server.received == 4);
}

static void why_there_is_no_connection_is_told_apart(void)
{
    struct mqtt_server to = {"10.0.0.1", 9};

    t->ops->open(t, &to, 0);
    settle();
    CHECK(has_failed(MQTT_ERR_NETWORK, "connection refused"));
    closes();
    netif_set_link_down(&wire);
    begins("10.0.0.1");
    CHECK(has_failed(MQTT_ERR_NETWORK, "no route to the host"));
    closes();
    netif_set_link_up(&wire);
    cut = true;
    begins("10.0.0.1");
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPENING);
    pass(200000);
    cut = false;
    CHECK(has_failed(MQTT_ERR_NETWORK, "no answer"));
    closes();
    begins("");
    CHECK(has_failed(MQTT_ERR_SERVER, "not a name or an address"));
}

static void it_is_closed_while_it_connects(void)
{
    cut = true;
    begins("10.0.0.1");
    closes();
    cut = false;
    pass(1000);
    connects();
}

static void names_are_looked_up(void)
{
    begins("one.test");
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPENING);
    names_answers(true);
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPEN);
    closes();
    begins("none.test");
    names_answers(false);
    CHECK(has_failed(MQTT_ERR_NAME, "no such name, or no answer"));
    closes();
    cut = true;
    begins("silence.test");
    pass(60000);
    cut = false;
    CHECK(has_failed(MQTT_ERR_NAME, "no such name, or no answer"));
}

/* The answer comes when nobody waits for it, or somebody for another name. */
static void late_answers_are_not_taken_for_another(void)
{
    begins("two.test");
    closes();
    names_answers(true);
    CHECK(!network.pcb_);
    begins("three.test");
    closes();
    begins("10.0.0.1");
    names_answers(true);
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPEN);
    server_ends();
    closes();
    begins("four.test");
    closes();
    begins("four.test");
    names_answers(true);
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPEN);
}

static void ignores(const char *name, const ip_addr_t *address, void *arg)
{
    (void)name, (void)address, (void)arg;
}

/* lwIP asks once for both, and tells both the name that it had first. */
static void a_name_may_be_asked_for_in_other_letters(void)
{
    ip_addr_t address;
    unsigned before = names.queries;

    CHECK(dns_gethostbyname("Five.Test", &address, ignores, NULL) ==
          ERR_INPROGRESS);
    begins("five.test");
    CHECK(names.queries == before + 1);
    names_answers(true);
    CHECK(t->ops->advance(t, 0) == MQTT_TRANSPORT_OPEN);
}

#define TEST(name)                                                             \
    {                                                                          \
#name, name                                                            \
    }

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        TEST(bytes_go_both_ways),
        TEST(what_is_sent_leaves_though_it_is_closed_at_once),
        TEST(it_leaves_though_not_all_was_read),
        TEST(who_does_not_read_holds_its_server_back),
        TEST(without_memory_it_waits_and_asks_again),
        TEST(a_connection_that_has_ended_is_not_touched),
        TEST(an_orderly_end_is_no_error),
        TEST(what_came_before_a_reset_is_read),
        TEST(a_reset_is_told_in_the_next_turn),
        TEST(given_up_connections_make_room),
        TEST(a_cut_wire_is_told_in_time),
        TEST(a_cut_wire_comes_back),
        TEST(why_there_is_no_connection_is_told_apart),
        TEST(it_is_closed_while_it_connects),
        TEST(names_are_looked_up),
        TEST(late_answers_are_not_taken_for_another),
        TEST(a_name_may_be_asked_for_in_other_letters),
    };

    board_begin();
    begin_network();
    begin_server();
    begin_names();
    mqtt_lwip_init(&network, on_wake, NULL);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        board_print(tests[i].name);
        board_print("\n");
        tests[i].run();
        nothing_is_left();
    }
    return 0;
}
