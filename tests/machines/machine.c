/*
 * machine.c - the machine is the one that its file (tools/support/machines) says:
 * what a compiler was told wrong would go unnoticed, for the core does not ask.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(void *) * CHAR_BIT == BITS, "another width");
_Static_assert((CHAR_MIN < 0) == CHAR_IS_SIGNED, "another char");

/* As the emulator stores it. */
static bool is_big_endian(void)
{
    volatile uint32_t number = 0x01020304;
    uint8_t first;

    memcpy(&first, (const void *)&number, 1);
    return first == 1;
}

int main(void)
{
    bool good = is_big_endian() == IS_BIG_ENDIAN;

    printf("%s %d bits, %s endian, char is %s\n", good ? "passed " : "FAILED ",
           BITS, is_big_endian() ? "big" : "little",
           CHAR_IS_SIGNED ? "signed" : "unsigned");
    return good ? 0 : 1;
}
