/*
 * names_house.h - a network of the test's own, which ends with the process: a
 * loopback, and an interface "house" on which some addresses are of this host
 * and others swallow all that is sent to them.
 *
 *     10.9.0.1, fd09::1, fe80::9       this host
 *     10.9.0.2                         the host at the other end
 *     10.9.0.11 ... .74, fd09::11      dead: nothing comes back
 *     10.8.x.x                         no way leads there
 */
#ifndef NAMES_HOUSE_H
#define NAMES_HOUSE_H

/** Before any thread is started. False: it cannot be, and house_lacks says
 * why. */
int house_enter(void **state);
int house_leave(void **state);
extern const char *house_lacks;

/** Skip a test that needs the house, if there is none. */
void house_needed(void);

/** What /etc/hosts says in here. */
void house_hosts(const char *text);

#endif
