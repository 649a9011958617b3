/*
 * lan9118.h - SMSC's LAN9118, an Ethernet controller with FIFOs. Frames are moved
 * by words; a caller that has one in pieces writes it piece by piece.
 */
#ifndef LAN9118_H
#define LAN9118_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reset, set the address (6 bytes), let frames and interrupts through. */
void lan9118_begin(const uint8_t *address);

/** Whether the cable is in. Also ends the interrupt that told of a change. */
bool lan9118_link(void);

/** Bytes of the next received frame, 0: none. It is to be read, all of it. */
size_t lan9118_received(void);
/** The next `size` bytes of it; a multiple of 4 but for the last piece. */
void lan9118_read(void *bytes, size_t size);
/** Instead: drop it. */
void lan9118_skip(size_t size);

/** Begin to send a frame of `size` bytes; false: the FIFO has no room now. */
bool lan9118_send(size_t size);
/** Its next bytes, in pieces of any size; all of it has to be written. */
void lan9118_write(const void *bytes, size_t size);

/** In an interrupt: hold it back until lan9118_listen(). */
void lan9118_hush(void);
/** Let it through from now on. What came before is looked for after this. */
void lan9118_listen(void);

#endif
