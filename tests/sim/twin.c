#include "world.h"
void twin_fault(struct player *p, struct dice *dice)
{
    (void)p;
    (void)dice;
}
