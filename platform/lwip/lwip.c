#include <mqttloop/client.h>
#include <mqttloop/lwip.h>

#include <lwip/def.h>
#include <lwip/dns.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>

enum state { SHUT, LOOKING_UP, CONNECTING, OPEN, FAILED };

/* In half seconds: how often a connection that waits for memory asks again. */
#define POLL_INTERVAL 1

static struct mqtt_lwip *of(struct mqtt_transport *transport)
{
    return (struct mqtt_lwip *)transport;
}

static void wake(struct mqtt_lwip *l)
{
    if (l->wake_)
        l->wake_(l->context_);
}

/* ---- what goes wrong ------------------------------------------------------ */

static void fails(struct mqtt_lwip *l, enum mqtt_error error,
                  const char *detail)
{
    l->state_ = FAILED;
    l->error_ = (int8_t)error;
    l->detail_ = detail;
    wake(l);
}

static const char *words_for(err_t error, bool connecting)
{
    switch (error) {
    case ERR_RST:
        return connecting ? "connection refused" : "connection reset";
    case ERR_ABRT:
        return connecting ? "no answer" : "what was sent is not answered";
    case ERR_MEM:
    case ERR_BUF:
        return "lwIP has no memory";
    case ERR_RTE:
        return "no route to the host";
    case ERR_USE:
        return "no free port";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_IF:
        return "the network interface failed";
    case ERR_CLSD:
    case ERR_CONN:
        return "not connected any more";
    default:
        return "lwIP refused";
    }
}

static void fails_by(struct mqtt_lwip *l, err_t error)
{
    fails(l, MQTT_ERR_NETWORK, words_for(error, l->state_ == CONNECTING));
}

/* ---- what lwIP tells ------------------------------------------------------ */

/* lwIP has freed the connection already. */
static void on_error(void *arg, err_t error)
{
    struct mqtt_lwip *l = arg;

    l->pcb_ = NULL;
    fails_by(l, error);
}

/* What is given up has no right to its memory when others need it: nobody may
 * answer for many minutes. */
static void let_go(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_setprio(pcb, TCP_PRIO_MIN);
    if (tcp_close(pcb))
        tcp_abort(pcb);
}

/* When both sides have ended, lwIP frees the connection later, and tells nobody:
 * it is left to it now. */
static void ends(struct mqtt_lwip *l, struct tcp_pcb *pcb)
{
    l->ended_ = true;
    if (pcb->state == CLOSE_WAIT)
        return;
    l->pcb_ = NULL;
    let_go(pcb);
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                         err_t error)
{
    struct mqtt_lwip *l = arg;

    (void)error;
    if (!p)
        ends(l, pcb);
    else if (l->received_)
        pbuf_cat(l->received_, p);
    else
        l->received_ = p;
    wake(l);
    return ERR_OK;
}

static void goes_on(struct mqtt_lwip *l)
{
    if (l->blocked_ || l->finishing_)
        wake(l);
    l->blocked_ = false;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t size)
{
    (void)pcb, (void)size;
    goes_on(arg);
    return ERR_OK;
}

/* Memory may be free again that others had. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void)pcb;
    goes_on(arg);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct mqtt_lwip *l = arg;

    (void)pcb, (void)error; /* always ERR_OK, says lwIP */
    l->state_ = OPEN;
    wake(l);
    return ERR_OK;
}

/* ---- opening -------------------------------------------------------------- */

static void connect_to(struct mqtt_lwip *l, const ip_addr_t *address)
{
    uint16_t port = l->server_->port ? l->server_->port : 1883;
    err_t error;

    l->pcb_ = tcp_new_ip_type(IP_GET_TYPE(address));
    if (!l->pcb_) {
        fails(l, MQTT_ERR_NETWORK, "no free connection in lwIP");
        return;
    }
    l->state_ = CONNECTING;
    tcp_arg(l->pcb_, l);
    tcp_err(l->pcb_, on_error);
    tcp_recv(l->pcb_, on_received);
    tcp_sent(l->pcb_, on_sent);
    tcp_poll(l->pcb_, on_poll, POLL_INTERVAL);
    tcp_nagle_disable(l->pcb_); /* flush() sends what belongs together */
    error = tcp_connect(l->pcb_, address, port, on_connected);
    if (error)
        fails_by(l, error);
}

/* It may be the answer for a connection that was given up since: then it is of
 * use only if the name is the same, which lwIP has as it was asked for first. */
static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    struct mqtt_lwip *l = arg;

    if (l->state_ != LOOKING_UP || lwip_stricmp(name, l->server_->address))
        return;
    if (address)
        connect_to(l, address);
    else
        fails(l, MQTT_ERR_NAME, "no such name, or no answer");
}

static bool readable(const char *address)
{
    if (!address || !*address)
        return false;
    while (*address && *address != '/')
        address++;
    return !*address;
}

static void lwip_open(struct mqtt_transport *self,
                      const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_lwip *l = of(self);
    ip_addr_t address;
    err_t error;

    (void)now;
    l->server_ = server;
    l->ended_ = l->heard_out_ = l->finishing_ = l->blocked_ = false;
    l->state_ = LOOKING_UP;
    if (!readable(server->address)) {
        fails(l, MQTT_ERR_SERVER, "not a name or an address");
        return;
    }
    error = dns_gethostbyname(server->address, &address, on_found, l);
    if (error == ERR_OK)
        connect_to(l, &address);
    else if (error == ERR_ARG)
        fails(l, MQTT_ERR_NAME, "not a name that lwIP can look up");
    else if (error == ERR_VAL)
        fails(l, MQTT_ERR_NAME, "no name server is known");
    else if (error != ERR_INPROGRESS)
        fails(l, MQTT_ERR_NAME, "too many lookups in lwIP");
}

static enum mqtt_transport_state lwip_advance(struct mqtt_transport *self,
                                              mqtt_time now)
{
    (void)now;
    switch (of(self)->state_) {
    case OPEN:
        return MQTT_TRANSPORT_OPEN;
    case LOOKING_UP:
    case CONNECTING:
        return MQTT_TRANSPORT_OPENING;
    default:
        return MQTT_TRANSPORT_FAILED;
    }
}

/* ---- bytes ---------------------------------------------------------------- */

/* Free the pbufs at the head that were taken whole. */
static void drop_taken(struct mqtt_lwip *l)
{
    struct pbuf *first = l->received_;

    if (l->taken_ < first->len)
        return;
    l->taken_ = 0;
    l->received_ = first->next;
    if (first->next)
        pbuf_ref(first->next);
    pbuf_free(first);
}

/* As much as one pbuf has: the driver asks again. */
static ptrdiff_t take(struct mqtt_lwip *l, void *bytes, size_t size)
{
    const struct pbuf *first = l->received_;
    size_t there = (size_t)(first->len - l->taken_);
    uint16_t n = (uint16_t)(size < there ? size : there);

    MEMCPY(bytes, (const uint8_t *)first->payload + l->taken_, n);
    l->taken_ = (uint16_t)(l->taken_ + n);
    drop_taken(l);
    if (l->pcb_)
        tcp_recved(l->pcb_, n);
    return n;
}

static ptrdiff_t lwip_recv(struct mqtt_transport *self, void *bytes,
                           size_t size)
{
    struct mqtt_lwip *l = of(self);

    while (l->received_ && l->taken_ >= l->received_->len)
        drop_taken(l); /* an empty one */
    if (l->received_)
        return take(l, bytes, size);
    if (l->ended_) /* also if lwIP then told of it as of an error */
        return MQTT_IO_END;
    return l->state_ == FAILED ? MQTT_IO_FAILED : MQTT_IO_WAIT;
}

/* The server has gone. Why, it may have said before: that is read in what is left
 * of this turn, then the failure is told. */
static ptrdiff_t hear_out(const struct mqtt_lwip *l)
{
    return l->received_ && !l->heard_out_ ? MQTT_IO_WAIT : MQTT_IO_FAILED;
}

/* A smaller piece may find memory where a large one did not. */
static ptrdiff_t lwip_send(struct mqtt_transport *self, const void *bytes,
                           size_t size)
{
    struct mqtt_lwip *l = of(self);
    err_t error = ERR_MEM;

    if (l->state_ != OPEN)
        return hear_out(l);
    if (!l->pcb_) /* both sides have ended */
        return MQTT_IO_WAIT;
    if (size > tcp_sndbuf(l->pcb_))
        size = tcp_sndbuf(l->pcb_);
    if (size > UINT16_MAX) /* with scaled windows */
        size = UINT16_MAX;
    for (; size; size /= 2) {
        error = tcp_write(l->pcb_, bytes, (u16_t)size,
                          TCP_WRITE_FLAG_COPY | TCP_WRITE_FLAG_MORE);
        if (error != ERR_MEM)
            break;
    }
    if (error == ERR_OK)
        return (ptrdiff_t)size;
    if (error != ERR_MEM)
        fails_by(l, error);
    l->blocked_ = true;
    return error == ERR_MEM ? MQTT_IO_WAIT : MQTT_IO_FAILED;
}

static void lwip_finish(struct mqtt_transport *self)
{
    struct mqtt_lwip *l = of(self);

    l->finishing_ = l->pcb_ && tcp_shutdown(l->pcb_, 0, 1) == ERR_MEM;
}

/* lwIP sends on by itself what its output() leaves for want of memory. */
static ptrdiff_t lwip_flush(struct mqtt_transport *self)
{
    struct mqtt_lwip *l = of(self);

    if (l->finishing_)
        lwip_finish(self);
    if (l->pcb_)
        (void)tcp_output(l->pcb_);
    return l->finishing_ ? MQTT_IO_WAIT : 0;
}

static void lwip_close(struct mqtt_transport *self)
{
    struct mqtt_lwip *l = of(self);
    struct tcp_pcb *pcb = l->pcb_;

    l->state_ = SHUT;
    l->pcb_ = NULL;
    if (pcb && l->received_) /* else lwIP resets, and drops what is to leave */
        tcp_recved(pcb, (u16_t)(l->received_->tot_len - l->taken_));
    if (pcb)
        let_go(pcb);
    if (l->received_)
        pbuf_free(l->received_);
    l->received_ = NULL;
    l->taken_ = 0;
}

/* ---- the rest ------------------------------------------------------------- */

/* There is no descriptor; each turn tries all. This one is over. */
static bool lwip_want(struct mqtt_transport *self, unsigned mask)
{
    struct mqtt_lwip *l = of(self);

    if (l->state_ == FAILED && mask & MQTT_WRITE) {
        l->heard_out_ = true;
        wake(l);
    }
    return true;
}

static void lwip_ready(struct mqtt_transport *self, unsigned slot,
                       unsigned mask)
{
    (void)self, (void)slot, (void)mask;
}

static mqtt_time lwip_deadline(struct mqtt_transport *self)
{
    (void)self;
    return MQTT_NEVER;
}

static enum mqtt_error lwip_error(struct mqtt_transport *self,
                                  const char **detail)
{
    *detail = of(self)->detail_;
    return (enum mqtt_error)of(self)->error_;
}

static void lwip_attach(struct mqtt_transport *self,
                        struct mqtt_reactor *reactor)
{
    (void)self, (void)reactor;
}

static const struct mqtt_transport_ops ops = {
    .open = lwip_open,
    .advance = lwip_advance,
    .recv = lwip_recv,
    .send = lwip_send,
    .flush = lwip_flush,
    .finish = lwip_finish,
    .close = lwip_close,
    .want = lwip_want,
    .ready = lwip_ready,
    .deadline = lwip_deadline,
    .error = lwip_error,
    .attach = lwip_attach,
};

void mqtt_lwip_init(struct mqtt_lwip *lwip, void (*wake_hook)(void *context),
                    void *context)
{
    *lwip = (struct mqtt_lwip){
        .transport = {&ops}, .wake_ = wake_hook, .context_ = context};
}
