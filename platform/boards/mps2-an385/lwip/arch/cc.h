/* What lwIP asks of a compiler. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include "../../../cortex-m/cortex_m.h"

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) cortex_m_exit(103)

/* Numbers of ports and lookups: another one each time, for lwIP asks until it has
 * one that is free. */
uint32_t board_random(void);
#define LWIP_RAND() board_random()

#endif
