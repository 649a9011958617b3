/*
 * What a layer passes down (mqttloop/network.h). Inline, since layers are in
 * several libraries: each puts those it does not do itself into its table.
 *
 *     static const struct mqtt_transport_ops ops = {
 *         .open = mqtt_layer_open,
 *         .advance = my_advance,
 *         ...
 *         .lend = mqtt_layer_lend,
 *         .give_back = mqtt_layer_give_back,
 *     };
 */
#ifndef MQTTLOOP_PLATFORM_LAYER_H
#define MQTTLOOP_PLATFORM_LAYER_H

#include <mqttloop/network.h>

/** The transport below the layer that `self` is. */
static inline struct mqtt_transport *
mqtt_layer_below(const struct mqtt_transport *self)
{
    return ((const struct mqtt_layer *)self)->below;
}

static inline void mqtt_layer_open(struct mqtt_transport *self,
                                   const struct mqtt_server *server,
                                   mqtt_time now)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    below->ops->open(below, server, now);
}

static inline enum mqtt_transport_state
mqtt_layer_advance(struct mqtt_transport *self, mqtt_time now)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->advance(below, now);
}

static inline ptrdiff_t mqtt_layer_recv(struct mqtt_transport *self,
                                        void *bytes, size_t size)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->recv(below, bytes, size);
}

static inline ptrdiff_t mqtt_layer_send(struct mqtt_transport *self,
                                        const void *bytes, size_t size)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->send(below, bytes, size);
}

/** A layer that keeps bytes back sends them first, then calls this. */
static inline ptrdiff_t mqtt_layer_flush(struct mqtt_transport *self)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->flush ? below->ops->flush(below) : 0;
}

static inline void mqtt_layer_finish(struct mqtt_transport *self)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    below->ops->finish(below);
}

static inline void mqtt_layer_close(struct mqtt_transport *self)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    below->ops->close(below);
}

/** Also how a layer that is not open yet says what it waits for. */
static inline bool mqtt_layer_want(struct mqtt_transport *self, unsigned mask)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->want(below, mask);
}

static inline void mqtt_layer_ready(struct mqtt_transport *self, unsigned slot,
                                    unsigned mask)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    below->ops->ready(below, slot, mask);
}

static inline mqtt_time mqtt_layer_deadline(struct mqtt_transport *self)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->deadline(below);
}

static inline enum mqtt_error mqtt_layer_error(struct mqtt_transport *self,
                                               const char **detail)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->error(below, detail);
}

static inline void mqtt_layer_attach(struct mqtt_transport *self,
                                     struct mqtt_reactor *reactor)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    below->ops->attach(below, reactor);
}

static inline void *mqtt_layer_lend(struct mqtt_transport *self, size_t *size)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    return below->ops->lend ? below->ops->lend(below, size) : NULL;
}

static inline void mqtt_layer_give_back(struct mqtt_transport *self)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    if (below->ops->give_back)
        below->ops->give_back(below);
}

static inline void mqtt_layer_count(struct mqtt_transport *self,
                                    struct mqtt_statistics *statistics)
{
    struct mqtt_transport *below = mqtt_layer_below(self);

    if (below->ops->count)
        below->ops->count(below, statistics);
}

#endif
