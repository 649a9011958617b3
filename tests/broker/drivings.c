#include "station.h"

const struct driving *const drivings[] = {
    &driving_loop,
#ifdef WITH_LIBEV
    &driving_libev,
#endif
    NULL,
};

size_t driving_count(void)
{
    return sizeof(drivings) / sizeof(drivings[0]) - 1;
}
