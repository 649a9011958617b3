/*
 * which.h - which test of cmocka this thread is in.
 */
#ifndef WHICH_H
#define WHICH_H

#include <stdint.h>

/** Where the code of the test begins that called this, however deep, as an
 * offset in this program: `addr2line -fe PROGRAM 0xOFFSET` names it. In a thread
 * of its own: the thread's outermost function of this program. Needs a program
 * built with -fno-optimize-sibling-calls. */
uintptr_t which_test(void);

#endif
