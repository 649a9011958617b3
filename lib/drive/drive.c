#include <mqttloop/drive.h>
#include "client/client.h"
#include "earlier.h"

/* How far the transport is. */
enum link { LINK_CLOSED, LINK_OPENING, LINK_OPEN };

/* Rounds of writing and reading in one turn: then others in the same loop
 * have theirs, and this client the next. */
#define ROUNDS 16
/* What is written in one round, in bytes and in pieces: a network that is as
 * fast as memory takes all. */
#define ROUND_SIZE 65536
#define ROUND_PIECES 16

static void requested(void *driver)
{
    struct mqtt_drive *d = driver;

    if (d->turning_ || !d->reactor_)
        return;
    d->armed_ = 0;
    d->reactor_->ops->wake_at(d->reactor_, 0);
}

static mqtt_time clock_of(void *driver)
{
    struct mqtt_drive *d = driver;

    return d->reactor_ ? d->reactor_->ops->now(d->reactor_)
                       : d->client_->engine_.now_;
}

void mqtt_drive_init(struct mqtt_drive *drive, struct mqtt_client *client,
                     struct mqtt_transport *transport,
                     struct mqtt_reactor *reactor)
{
    memset(drive, 0, sizeof *drive);
    drive->client_ = client;
    drive->transport_ = transport;
    drive->armed_ = MQTT_NEVER;
    mqtt_client_set_driver(client, drive, requested, clock_of);
    mqtt_drive_attach(drive, reactor);
}

struct mqtt_drive *mqtt_drive_of(const struct mqtt_client *client)
{
    return client->requested_ == requested ? client->driver_ : NULL;
}

void mqtt_drive_attach(struct mqtt_drive *drive, struct mqtt_reactor *reactor)
{
    struct mqtt_reactor *old = drive->reactor_;

    if (!reactor || reactor->ops->wait)
        drive->home_ = reactor;
    if (old == reactor)
        return;
    drive->reactor_ = reactor;
    drive->transport_->ops->attach(drive->transport_, reactor);
    if (old) {
        old->ops->wake_at(old, MQTT_NEVER);
        old->ops->leave(old);
    }
    if (reactor) { /* a turn finds out what is to be waited for */
        drive->armed_ = 0;
        reactor->ops->wake_at(reactor, 0);
    }
}

void mqtt_drive_detach(struct mqtt_drive *drive)
{
    mqtt_drive_attach(drive, drive->home_);
}

static void give_back(struct mqtt_drive *d)
{
    if (d->lent_)
        d->transport_->ops->give_back(d->transport_);
    d->lent_ = NULL;
    d->lent_size_ = 0;
}

void mqtt_drive_end(struct mqtt_drive *drive)
{
    give_back(drive);
    drive->transport_->ops->close(drive->transport_);
    drive->link_ = LINK_CLOSED;
    mqtt_drive_attach(drive, NULL);
    mqtt_client_set_driver(drive->client_, NULL, NULL, NULL);
}

void mqtt_drive_ready(struct mqtt_drive *drive, unsigned slot, unsigned mask)
{
    drive->transport_->ops->ready(drive->transport_, slot, mask);
}

/* -- the network connection ---------------------------------------------------- */

static void close_link(struct mqtt_drive *d, enum mqtt_error why,
                       const char *detail)
{
    d->transport_->ops->close(d->transport_);
    d->link_ = LINK_CLOSED;
    mqtt_client_closed(d->client_, why, detail);
}

static void link_failed(struct mqtt_drive *d)
{
    const char *detail = NULL;
    enum mqtt_error why = d->transport_->ops->error(d->transport_, &detail);

    close_link(d, why, detail);
}

static void begin_link(struct mqtt_drive *d)
{
    struct mqtt_statistics *statistics = d->client_->config_->statistics;

    d->link_ = LINK_OPEN;
    d->finished_ = false;
    if (statistics && d->transport_->ops->count)
        d->transport_->ops->count(d->transport_, statistics);
    mqtt_client_opened(d->client_);
}

static void advance_link(struct mqtt_drive *d)
{
    switch (
        d->transport_->ops->advance(d->transport_, d->client_->engine_.now_)) {
    case MQTT_TRANSPORT_OPENING:
        break;
    case MQTT_TRANSPORT_OPEN:
        begin_link(d);
        break;
    case MQTT_TRANSPORT_FAILED:
        link_failed(d);
        break;
    }
}

static void open_link(struct mqtt_drive *d)
{
    if (d->link_ == LINK_CLOSED) {
        d->transport_->ops->open(d->transport_, mqtt_client_server(d->client_),
                                 d->client_->engine_.now_);
        d->link_ = LINK_OPENING;
    }
    advance_link(d);
}

static void finish_link(struct mqtt_drive *d)
{
    if (d->finished_)
        return;
    d->finished_ = true;
    d->transport_->ops->finish(d->transport_);
}

/* Do what the client wants of its network connection. */
static void serve_wants(struct mqtt_drive *d)
{
    switch (mqtt_client_wants(d->client_)) {
    case MQTT_WANT_NOTHING:
        break;
    case MQTT_WANT_OPEN:
        open_link(d);
        break;
    case MQTT_WANT_FINISH:
        finish_link(d);
        break;
    case MQTT_WANT_CLOSE:
        close_link(d, MQTT_OK, NULL);
        break;
    }
}

/* -- bytes ----------------------------------------------------------------------- */

/* What the transport took and keeps leaves when all has been written, so that
 * it leaves together. */
static void flush(struct mqtt_drive *d)
{
    const struct mqtt_transport_ops *ops = d->transport_->ops;

    if (d->link_ == LINK_OPEN && ops->flush &&
        ops->flush(d->transport_) == MQTT_IO_FAILED)
        link_failed(d);
}

/* Write until the transport takes no more, nothing is left, or others are to
 * have their turn. */
static int write_all(struct mqtt_drive *d)
{
    const void *bytes;
    size_t size, left = ROUND_SIZE;
    int count = 0;

    while (d->link_ == LINK_OPEN && left > 0 && count < ROUND_PIECES &&
           (bytes = mqtt_client_output_buf(d->client_, &size)) != NULL) {
        ptrdiff_t n = d->transport_->ops->send(d->transport_, bytes,
                                               size < left ? size : left);

        if (n == MQTT_IO_FAILED)
            link_failed(d);
        if (n <= 0)
            break;
        mqtt_client_output_done(d->client_, (size_t)n);
        left -= (size_t)n;
        count++;
    }
    return count;
}

/* Memory to read into, the same for all of a turn; perhaps there is none. */
static void lend(struct mqtt_drive *d)
{
    const struct mqtt_transport_ops *ops = d->transport_->ops;

    if (!d->lent_ && ops->lend)
        d->lent_ = ops->lend(d->transport_, &d->lent_size_);
}

/* Read once; callbacks follow before the next time, since the memory that was
 * lent is used anew. */
static int read_once(struct mqtt_drive *d)
{
    size_t size;
    void *bytes;
    ptrdiff_t n;

    if (d->link_ != LINK_OPEN)
        return 0;
    lend(d);
    bytes = mqtt_client_input_buf(d->client_, d->lent_, d->lent_size_, &size);
    if (!bytes)
        return 0;
    n = d->transport_->ops->recv(d->transport_, bytes, size);
    if (n == MQTT_IO_FAILED)
        link_failed(d);
    else if (n == MQTT_IO_END)
        close_link(d, MQTT_ERR_CLOSED, NULL);
    else if (n > 0)
        mqtt_client_input_done(d->client_, (size_t)n);
    return n != MQTT_IO_WAIT;
}

static void keep(struct mqtt_drive *d)
{
    mqtt_client_input_keep(d->client_);
    give_back(d);
}

/* -- a turn ----------------------------------------------------------------------- */

static mqtt_time deadline(const struct mqtt_drive *d)
{
    mqtt_time at = mqtt_client_deadline(d->client_);

    if (d->link_ == LINK_OPENING)
        at = mqtt_earlier(at, d->transport_->ops->deadline(d->transport_));
    return at;
}

/* What the reactor is to wait for. The alarm is moved only when it would ring
 * too late: a call too many costs more than an idle turn. */
static void arm(struct mqtt_drive *d, bool again)
{
    mqtt_time at = again ? 0 : deadline(d);
    unsigned mask = 0;
    size_t size;

    d->client_->notified_ = false;
    if (!d->reactor_)
        return;
    if (d->link_ == LINK_OPEN) {
        if (mqtt_client_input_buf(d->client_, NULL, 0, &size))
            mask |= MQTT_READ;
        if (mqtt_client_output_buf(d->client_, &size))
            mask |= MQTT_WRITE;
        if (!d->transport_->ops->want(d->transport_, mask)) {
            link_failed(d);
            at = 0; /* to tell of it */
        }
        if (mqtt_client_wants(d->client_) == MQTT_WANT_CLOSE)
            at = 0; /* that has just come up */
    }
    if (at < d->armed_ || d->armed_ <= d->client_->engine_.now_) {
        d->armed_ = at;
        d->reactor_->ops->wake_at(d->reactor_, at);
    }
}

/* One round: what the client wants, callbacks, bytes out, bytes in. What it
 * handled, or MQTT_ERR_DESTROYED. */
static int round_of(struct mqtt_drive *d)
{
    int count, events;

    serve_wants(d);
    count = mqtt_client_dispatch(d->client_);
    if (count < 0)
        return count;
    count += write_all(d);
    flush(d);
    count += read_once(d);
    events = mqtt_client_dispatch(d->client_);
    return events < 0 ? events : count + events;
}

/* A deadline may have passed while nobody looked, and what it waited for may
 * be here all the same: look before it is judged. */
static int look_before(struct mqtt_drive *d, mqtt_time now)
{
    if (now < deadline(d))
        return 0;
    mqtt_client_ask_time(d->client_); /* what follows happens now */
    if (!read_once(d))
        return 0;
    return mqtt_client_dispatch(d->client_);
}

static int rounds(struct mqtt_drive *d, mqtt_time now)
{
    int total = look_before(d, now), count = 1;

    if (total < 0)
        return total;
    mqtt_client_tick(d->client_, now);
    for (int i = 0; i < ROUNDS && count; i++) {
        count = round_of(d);
        if (count < 0)
            return count;
        total += count;
    }
    keep(d);
    arm(d, count != 0);
    return total;
}

int mqtt_drive_turn(struct mqtt_drive *drive)
{
    int count;

    if (drive->turning_)
        return MQTT_ERR_REENTERED;
    if (!drive->reactor_)
        return MQTT_ERR_ATTACHED;
    drive->turning_ = true;
    count = rounds(drive, drive->reactor_->ops->now(drive->reactor_));
    if (count >= 0) /* else the drive may be gone */
        drive->turning_ = false;
    return count;
}
