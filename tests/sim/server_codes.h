/*
 * server_codes.h - the reason codes that a server may send, packet by packet
 * [5.0, section 3; 3.1.1, sections 3.2.2.3 and 3.9.3].
 */
#ifndef SIM_SERVER_CODES_H
#define SIM_SERVER_CODES_H

#include <stdbool.h>
#include <stdint.h>

enum code_place {
    IN_CONNACK_3_1_1,
    IN_SUBACK_3_1_1,
    IN_CONNACK,
    IN_PUBACK,
    IN_PUBREC, /* an error: it ends the exchange */
    IN_GOOD_PUBREC,
    IN_PUBCOMP,
    IN_SUBACK,
    IN_UNSUBACK,
    IN_DISCONNECT,
    IN_AUTH,
    CODE_PLACES
};

struct code_row {
    const char *name;
    uint8_t count;
    uint8_t codes[32];
};
extern const struct code_row code_rows[CODE_PLACES];

/* How often each code, as it stands in code_rows, was sent, and how often the
 * application was told of it, as it was sent; of a good PUBREC it is not. */
struct code_counts {
    uint32_t sent[CODE_PLACES][32], told[CODE_PLACES][32];
};

/* Where a code of this place is counted; 32: it may not stand there. */
unsigned code_index(enum code_place place, uint8_t code);

#endif
