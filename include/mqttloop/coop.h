/*
 * mqttloop/coop.h - a cooperative scheduler for devices without an operating
 * system, and a client as one of its tasks.
 *
 *     static struct mqtt_coop coop;
 *     static struct mqtt_coop_client mqtt;
 *
 *     mqtt_coop_init(&coop, &board);
 *     mqtt_coop_attach(&mqtt, &coop, &client);
 *     mqtt_connect(&client);
 *     for (;;)
 *         mqtt_coop_turn(&coop);
 *
 * Sources in platform/coop/, to be compiled into the firmware; nothing there
 * allocates. All is called from the main program, never from an interrupt,
 * but mqtt_coop_wake().
 */
#ifndef MQTTLOOP_COOP_H
#define MQTTLOOP_COOP_H

#include <mqttloop/drive.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mqtt_coop_task;

/** What a board gives. It puts this first in its own struct; one without state
 * needs none. */
struct mqtt_coop_board {
    /** Milliseconds since any moment, in 32 bits: it goes on at 0 after
     * UINT32_MAX. Never back. */
    uint32_t (*counter_ms)(struct mqtt_coop_board *self);
    /** Hold interrupts back, and let them through again. */
    void (*mask)(struct mqtt_coop_board *self);
    void (*unmask)(struct mqtt_coop_board *self);
    /**
     * Sleep until an interrupt is pending, or counter_ms() is `most_ms` further;
     * sooner is no harm. 1 to 2^31 - 1 ms. Called with interrupts held back, and
     * has to wake for one all the same, also if it was pending before (WFI of
     * ARM and RISC-V does so): it is served after unmask().
     */
    void (*sleep)(struct mqtt_coop_board *self, uint32_t most_ms);
};

/** Something to be run, until it returns. Allocated by the caller, who must not
 * move it while it is added. */
struct mqtt_coop_task {
    /** What is run. Put the struct first in your own to find the rest. */
    void (*run)(struct mqtt_coop_task *self);
    /** How often it was run; only grows, and begins anew after UINT32_MAX. */
    uint32_t turns;

    struct mqtt_coop_task *next_;
    mqtt_time wake_at_;
    volatile bool ready_;
};

/** All members are private. */
struct mqtt_coop {
    struct mqtt_coop_board *board_;
    struct mqtt_coop_task *tasks_, *next_;
    mqtt_time now_;
    uint32_t counter_;
};

/** A scheduler without tasks. Its clock begins at 0. `board` must outlive it. */
void mqtt_coop_init(struct mqtt_coop *coop, struct mqtt_coop_board *board);

/** Add a task, behind the others; `run` is set, the rest is filled in. It is
 * due at once. It must not be added already. */
void mqtt_coop_add(struct mqtt_coop *coop, struct mqtt_coop_task *task);

/** Not to be run any more; also from within a task, itself or another one. Its
 * memory is the caller's again. No effect if it is not added. */
void mqtt_coop_remove(struct mqtt_coop *coop, struct mqtt_coop_task *task);

/** The board's counter, extended to 64 bits, on the clock that began at 0. No
 * wrap is missed as long as no task runs for 49 days. */
mqtt_time mqtt_coop_now(struct mqtt_coop *coop);

/** Run the task as soon as the others let it. The one function for interrupts;
 * many calls before it runs are one. */
void mqtt_coop_wake(struct mqtt_coop_task *task);

/** Run the task once at this moment of mqtt_coop_now(); replaces the last one. A
 * moment that is past: with the next turn. MQTT_NEVER, and so it is after each
 * time that the moment came: only by mqtt_coop_wake(). */
void mqtt_coop_wake_at(struct mqtt_coop_task *task, mqtt_time at);

/** Run each task that is due, once. If none was, sleep until one is, or until
 * an interrupt comes. True if one ran. */
bool mqtt_coop_turn(struct mqtt_coop *coop);

/** Sleep until `until`, until this task is due (NULL: any), or until an
 * interrupt comes; not at all if that is so already. No task runs. */
void mqtt_coop_sleep(struct mqtt_coop *coop, const struct mqtt_coop_task *task,
                     mqtt_time until);

/**
 * A client as a task. Its reactor has no descriptors: a transport of a device
 * calls a hook when it is worth a turn (mqttloop/lwip.h, uart.h), and the hook
 * is mqtt_coop_client_wake() with this as context. `task` may be looked at for
 * its turns. The other members are private.
 */
struct mqtt_coop_client {
    struct mqtt_reactor reactor;
    struct mqtt_coop_task task;
    struct mqtt_coop *coop_;
    struct mqtt_client *client_;
};

/**
 * Drive `client`, which has a drive (mqtt_drive_init()), as a task of `coop`
 * from now on. The task runs mqtt_loop(client, 0), for input, room for output,
 * requests and deadlines, otherwise not. mqtt_loop() with a time-out may be
 * called too; while it waits the board sleeps, and no task runs. No effect if
 * this adapter drives the client already.
 * MQTT_ERR_ARGUMENT: the client has no drive.
 */
enum mqtt_error mqtt_coop_attach(struct mqtt_coop_client *adapter,
                                 struct mqtt_coop *coop,
                                 struct mqtt_client *client);

/** For the hook of a transport: `adapter` is a struct mqtt_coop_client. Also from
 * interrupts. */
void mqtt_coop_client_wake(void *adapter);

#ifdef __cplusplus
}
#endif

#endif
