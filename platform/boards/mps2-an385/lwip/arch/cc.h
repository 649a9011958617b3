/* What lwIP asks of a compiler. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include "../../../cortex-m/cortex_m.h"

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) cortex_m_exit(103)

/* The numbers of ports and lookups begin where the clock stands. */
uint32_t sys_now(void);
#define LWIP_RAND() (sys_now() * 2654435761u)

#endif
