/* For lwip.c: the board's, with statistics, and with buffers for a server in the
 * same lwIP. */
#ifndef LWIP_TEST_OPTS_H
#define LWIP_TEST_OPTS_H

#include "../../../platform/boards/mps2-an385/lwip/lwipopts.h"

#undef LWIP_STATS
#define LWIP_STATS 1
#define MEM_STATS 1
#define MEMP_STATS 1
#undef MEM_SIZE
#define MEM_SIZE 30000
#undef TCP_SND_BUF
#define TCP_SND_BUF 24000
#undef TCP_SND_QUEUELEN
#define TCP_SND_QUEUELEN 64
#undef MEMP_NUM_TCP_SEG
#define MEMP_NUM_TCP_SEG 80

#endif
