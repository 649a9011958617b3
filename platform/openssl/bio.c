/*
 * The BIO between OpenSSL and the layer below, with a buffer each way. OpenSSL is never told of an end:
 * it would make the session unfit to be resumed. The layer sees to that.
 */
#include "openssl.h"
#include "../layer.h"

#include <stdlib.h>
#include <string.h>

size_t mqtt_tls_room(const struct mqtt_tls *self)
{
    return MQTT_TLS_OUT_SIZE - (self->out_end - self->out_begin);
}

void mqtt_tls_drop_out(struct mqtt_tls *self)
{
    free(self->out);
    self->out = NULL;
    self->out_begin = self->out_end = 0;
}

void mqtt_tls_drop_in(struct mqtt_tls *self)
{
    free(self->in);
    self->in = NULL;
    self->in_begin = self->in_end = 0;
}

ptrdiff_t mqtt_tls_push(struct mqtt_tls *self)
{
    struct mqtt_transport *below = self->layer.below;
    ptrdiff_t n;

    while (self->out_begin < self->out_end) {
        if (self->stuck)
            return MQTT_IO_WAIT;
        n = below->ops->send(below, self->out + self->out_begin,
                             self->out_end - self->out_begin);
        if (n == MQTT_IO_FAILED)
            return n;
        self->stuck = n <= 0;
        if (self->stuck)
            return MQTT_IO_WAIT;
        self->out_begin += (size_t)n;
    }
    mqtt_tls_drop_out(self);
    return 0;
}

/* To wait for memory would be to spin: what was ready stays ready. */
static void *allocate(struct mqtt_tls *self, size_t size)
{
    void *memory = malloc(size);

    if (!memory)
        mqtt_tls_fail(self, MQTT_ERR_TLS, "the machine has no memory");
    return memory;
}

/* Room for `size` bytes in one piece; false: the machine has no memory. */
static bool make_room(struct mqtt_tls *self, size_t size)
{
    if (!self->out && !(self->out = allocate(self, MQTT_TLS_OUT_SIZE)))
        return false;
    if (self->out_end + size > MQTT_TLS_OUT_SIZE) {
        memmove(self->out, self->out + self->out_begin,
                self->out_end - self->out_begin);
        self->out_end -= self->out_begin;
        self->out_begin = 0;
    }
    return true;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *written)
{
    struct mqtt_tls *self = BIO_get_data(bio);
    size_t room = mqtt_tls_room(self);

    BIO_clear_retry_flags(bio);
    if (room < size) {
        mqtt_tls_push(self); /* that it failed will be seen again */
        room = mqtt_tls_room(self);
    }
    if (room == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    *written = size < room ? size : room;
    if (!make_room(self, *written))
        return 0;
    memcpy(self->out + self->out_end, bytes, *written);
    self->out_end += *written;
    return 1;
}

/* More from below, once all has been taken. */
static ptrdiff_t fill(struct mqtt_tls *self)
{
    ptrdiff_t got;

    if (self->without_data > MQTT_TLS_MOST_WITHOUT_DATA)
        return MQTT_IO_WAIT; /* the layer gives up */
    if (!self->in && !(self->in = allocate(self, MQTT_TLS_IN_SIZE)))
        return MQTT_IO_WAIT; /* the layer has failed */
    got = mqtt_layer_recv(&self->layer.transport, self->in, MQTT_TLS_IN_SIZE);
    if (got <= 0) {
        mqtt_tls_drop_in(self);
        return got;
    }
    self->in_begin = 0;
    self->in_end = (size_t)got;
    self->without_data += self->in_end;
    return got;
}

/* OpenSSL asks for a record's header, then its body. Would it read ahead
 * itself, it could not be stopped between the messages that it has. */
static int bio_read(BIO *bio, char *bytes, size_t size, size_t *got)
{
    struct mqtt_tls *self = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (self->in_begin == self->in_end) {
        self->below_said = fill(self);
        if (self->below_said <= 0) {
            BIO_set_retry_read(bio);
            return 0;
        }
    }
    *got = self->in_end - self->in_begin;
    if (*got > size)
        *got = size;
    memcpy(bytes, self->in + self->in_begin, *got);
    self->in_begin += *got;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *mqtt_tls_bio_method(void)
{
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mqttloop");

    if (!method)
        return NULL;
    BIO_meth_set_create(method, bio_create);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}
