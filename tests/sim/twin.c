/*
 * Take-over: somebody else connects with the client identifier of a client, and
 * what that means for what the model expects of it.
 */
#include "world.h"

/* Messages that the client may still read, and that it cannot acknowledge. */
static void tell(struct world *w, struct dice *dice)
{
    for (uint32_t n = any_size(dice, 16); n; n--) {
        uint64_t mark = dice_next(dice);
        struct bytes payload = {store_copy(&w->store, &mark, sizeof(mark)),
                                sizeof(mark)};

        server_publish(&w->server, text_of(topics[roll(dice, TOPICS)]), payload,
                       2, false, 0);
    }
}

/* With a store, and with handles, what the twin completes would stay for ever:
 * nothing ever tells the client. PUBREL does, of what it only answers. */
static bool may_complete_held(const struct player *p)
{
    return !p->disk.used && p->config.settle == MQTT_SETTLE_AFTER_CALLBACK;
}

void twin_fault(struct player *p, struct dice *dice)
{
    struct world *w = p->world;
    struct twin twin = {0};
    struct link *link;

    twin.clean = one_in(dice, 6);
    twin.subscribes =
        one_in(dice, 3) && p->config.protocol != &mqtt_protocol_publisher;
    twin.takes_held = one_in(dice, 2);
    twin.completes_held = twin.takes_held && may_complete_held(p);
    twin.leaves_released =
        one_in(dice, 4) || (twin.takes_held && !twin.completes_held);
    twin.takes = one_in(dice, 3) ? 0 : any_size(dice, 40);
    if (w->lingering_count >= LINKS / 2)
        return;
    if (one_in(dice, 2))
        tell(w, dice);
    link = server_twin(&w->server, p->index, &twin);
    if (!link)
        return;
    /* The client learns nothing of that subscription. */
    p->left_over = p->left_over || twin.subscribes;
    w->lingering[w->lingering_count++] =
        (struct lingering){link, w->now + any_size(dice, 60000)};
}
