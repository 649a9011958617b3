/*
 * shim.h - what shim.c offers to those who find it by dlsym().
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>

/** This thread may block from now on, whatever it calls. */
void shim_exempt_thread(bool yes);
/** While on, waits of this thread are those of a reactor: from where they are
 * made, waiting is allowed from then on. */
void shim_learn(bool yes);

#endif
