#include <mqttloop/client.h>
#include <mqttloop/uart.h>

enum state { CLOSED, DIALLING, UP, DOWN };

/* What the next byte is, when it is not data. */
enum parsing { LENGTH, LETTER, UP_ID, DOWN_ID, DOWN_WHY, DOWN_OTHER };

#define SYNC 256u
#define HOST_MAX 255u

/* Whatever connection there was; none has this number. */
#define ALL 0u

/* So many pieces are read in one turn of what is no data: a line that is held, or
 * much that comes late, is not to keep others from theirs. */
#define MOST_PIECES 1024u

static struct mqtt_uart *of(struct mqtt_transport *transport)
{
    return (struct mqtt_uart *)transport;
}

/* ---- to the bridge -------------------------------------------------------- */

static bool say(struct mqtt_uart *u, char letter)
{
    const uint8_t frame[] = {0, (uint8_t)letter, u->id_};

    if (u->pipe_->room(u->pipe_, sizeof(frame)) < sizeof(frame))
        return false;
    u->pipe_->write(u->pipe_, frame, sizeof(frame));
    return true;
}

/* Byte `at` of the request to connect. */
static uint8_t dial_byte(const struct mqtt_uart *u, unsigned at)
{
    uint16_t port = u->server_->port ? u->server_->port : 1883;
    const uint8_t head[] = {'C', u->id_, (uint8_t)(port >> 8), (uint8_t)port,
                            (uint8_t)u->host_size_};

    if (at < SYNC)
        return 0;
    at -= SYNC;
    return at < sizeof(head) ? head[at]
                             : (uint8_t)u->server_->address[at - sizeof(head)];
}

static void dial(struct mqtt_uart *u)
{
    unsigned end = SYNC + 5 + u->host_size_;
    size_t room = u->pipe_->room(u->pipe_, end - u->dialled_);

    for (; room && u->dialled_ < end; room--) {
        uint8_t byte = dial_byte(u, u->dialled_++);

        u->pipe_->write(u->pipe_, &byte, 1);
    }
}

/* ---- from the bridge ------------------------------------------------------ */

static void goes_up(struct mqtt_uart *u, uint8_t id)
{
    if (u->state_ == DIALLING && id == u->id_)
        u->state_ = UP;
}

static void goes_down(struct mqtt_uart *u, uint8_t why)
{
    if (u->state_ != DIALLING && u->state_ != UP)
        return;
    u->state_ = DOWN;
    u->why_ = why ? why : 'F';
}

/* ALL is of a bridge that begins: what is dialled it may have read. */
static bool is_meant(const struct mqtt_uart *u, uint8_t id)
{
    return id == u->id_ || (id == ALL && u->state_ == UP);
}

static enum parsing after_letter(uint8_t letter)
{
    switch (letter) {
    case 0:
        return LETTER;
    case 'U':
        return UP_ID;
    case 'D':
        return DOWN_ID;
    default: /* out of step: zeros will tell */
        return LENGTH;
    }
}

static void take(struct mqtt_uart *u, uint8_t byte)
{
    enum parsing parsing = (enum parsing)u->parsing_;

    u->parsing_ = LENGTH;
    if (parsing == LENGTH && byte)
        u->left_ = byte;
    else if (parsing == LENGTH)
        u->parsing_ = LETTER;
    else if (parsing == LETTER)
        u->parsing_ = (uint8_t)after_letter(byte);
    else if (parsing == UP_ID)
        goes_up(u, byte);
    else if (parsing == DOWN_ID)
        u->parsing_ = is_meant(u, byte) ? DOWN_WHY : DOWN_OTHER;
    else if (parsing == DOWN_WHY)
        goes_down(u, byte);
}

/* The rest is for the next turn. */
static size_t stop(struct mqtt_uart *u)
{
    if (u->pipe_->wake)
        u->pipe_->wake(u->pipe_->context);
    return 0;
}

/* Data of this connection, at most `size` bytes; 0: the state changed, nothing
 * more came, or too much that is none. */
static size_t next(struct mqtt_uart *u, void *bytes, size_t size)
{
    enum state state = (enum state)u->state_;
    unsigned pieces = MOST_PIECES;
    uint8_t byte;
    size_t n;

    while (u->state_ == state) {
        if (!pieces--)
            return stop(u);
        if (u->left_) {
            n = u->pipe_->read(u->pipe_, bytes,
                               size < u->left_ ? size : u->left_);
            u->left_ = (uint8_t)(u->left_ - n);
            if (!n || state == UP)
                return n;
        } else if (u->pipe_->read(u->pipe_, &byte, 1)) {
            take(u, byte);
        } else {
            return 0;
        }
    }
    return 0;
}

/* ---- the transport -------------------------------------------------------- */

static size_t text_size(const char *text)
{
    size_t size = 0;

    while (text && text[size])
        size++;
    return size;
}

static void uart_open(struct mqtt_transport *self,
                      const struct mqtt_server *server, mqtt_time now)
{
    struct mqtt_uart *u = of(self);
    size_t size = text_size(server->address);

    (void)now;
    u->server_ = server;
    if (++u->id_ == ALL)
        u->id_++;
    u->dialled_ = 0;
    u->finishing_ = false;
    u->host_size_ = (uint16_t)size;
    u->state_ = DIALLING;
    if (size && size <= HOST_MAX)
        return;
    u->state_ = DOWN;
    u->why_ = 0; /* not an address */
}

static enum mqtt_transport_state uart_advance(struct mqtt_transport *self,
                                              mqtt_time now)
{
    struct mqtt_uart *u = of(self);
    uint8_t dropped[16];

    (void)now;
    if (u->state_ == DIALLING) {
        dial(u);
        (void)next(u, dropped, sizeof(dropped));
    }
    if (u->state_ == DIALLING)
        return MQTT_TRANSPORT_OPENING;
    return u->state_ == UP ? MQTT_TRANSPORT_OPEN : MQTT_TRANSPORT_FAILED;
}

static ptrdiff_t uart_recv(struct mqtt_transport *self, void *bytes,
                           size_t size)
{
    struct mqtt_uart *u = of(self);
    size_t n = next(u, bytes, size);

    if (n)
        return (ptrdiff_t)n;
    if (u->state_ == UP)
        return MQTT_IO_WAIT;
    return u->why_ == 'E' ? MQTT_IO_END : MQTT_IO_FAILED;
}

/* Only whole frames: what is cut in one would be taken for data. */
static ptrdiff_t uart_send(struct mqtt_transport *self, const void *bytes,
                           size_t size)
{
    struct mqtt_uart *u = of(self);
    size_t room = u->pipe_->room(u->pipe_, size < 64 ? size + 1 : 64);
    uint8_t length;

    if (room < 2)
        return MQTT_IO_WAIT;
    if (size > room - 1)
        size = room - 1;
    length = (uint8_t)(size > 255 ? 255 : size);
    u->pipe_->write(u->pipe_, &length, 1);
    u->pipe_->write(u->pipe_, bytes, length);
    return length;
}

static void uart_finish(struct mqtt_transport *self)
{
    of(self)->finishing_ = !say(of(self), 'F');
}

static ptrdiff_t uart_flush(struct mqtt_transport *self)
{
    if (of(self)->finishing_)
        uart_finish(self);
    return of(self)->finishing_ ? MQTT_IO_WAIT : 0;
}

/* Without room for it the next connection hangs this one up. */
static void uart_close(struct mqtt_transport *self)
{
    struct mqtt_uart *u = of(self);

    if (u->state_ == UP)
        (void)say(u, 'X');
    u->state_ = CLOSED;
}

/* There is no descriptor; each turn tries all. */
static bool uart_want(struct mqtt_transport *self, unsigned mask)
{
    (void)self, (void)mask;
    return true;
}

static void uart_ready(struct mqtt_transport *self, unsigned slot,
                       unsigned mask)
{
    (void)self, (void)slot, (void)mask;
}

static mqtt_time uart_deadline(struct mqtt_transport *self)
{
    (void)self;
    return MQTT_NEVER;
}

static enum mqtt_error uart_error(struct mqtt_transport *self,
                                  const char **detail)
{
    switch (of(self)->why_) {
    case 0:
        *detail = "no host, or longer than 255 bytes";
        return MQTT_ERR_SERVER;
    case 'R':
        *detail = "connection refused";
        return MQTT_ERR_NETWORK;
    case 'N':
        *detail = "no such name";
        return MQTT_ERR_NAME;
    case 'E':
        *detail = "ended while connecting";
        return MQTT_ERR_NETWORK;
    default:
        *detail = "the bridge lost the connection";
        return MQTT_ERR_NETWORK;
    }
}

static void uart_attach(struct mqtt_transport *self,
                        struct mqtt_reactor *reactor)
{
    (void)self, (void)reactor;
}

static const struct mqtt_transport_ops ops = {
    .open = uart_open,
    .advance = uart_advance,
    .recv = uart_recv,
    .send = uart_send,
    .flush = uart_flush,
    .finish = uart_finish,
    .close = uart_close,
    .want = uart_want,
    .ready = uart_ready,
    .deadline = uart_deadline,
    .error = uart_error,
    .attach = uart_attach,
};

void mqtt_uart_init(struct mqtt_uart *uart, struct mqtt_pipe *pipe,
                    void (*wake)(void *context), void *context)
{
    *uart = (struct mqtt_uart){.transport = {&ops}, .pipe_ = pipe};
    pipe->context = context;
    pipe->wake = wake;
}
