/* What is not inlined; see cursor.h. */
#include "wire/cursor.h"

extern inline const uint8_t *mqtt_read_bytes(struct mqtt_reader *r,
                                             size_t size);
extern inline uint8_t mqtt_read_u8(struct mqtt_reader *r);
extern inline uint16_t mqtt_read_u16(struct mqtt_reader *r);
extern inline uint32_t mqtt_read_u32(struct mqtt_reader *r);
extern inline struct mqtt_span mqtt_read_text(struct mqtt_reader *r);
extern inline void mqtt_write_bytes(struct mqtt_writer *w, const void *bytes,
                                    size_t size);
extern inline void mqtt_write_u8(struct mqtt_writer *w, unsigned value);
extern inline void mqtt_write_u16(struct mqtt_writer *w, unsigned value);
extern inline void mqtt_write_u32(struct mqtt_writer *w, uint32_t value);
extern inline void mqtt_write_length(struct mqtt_writer *w, uint32_t value);
extern inline void mqtt_write_text(struct mqtt_writer *w,
                                   struct mqtt_span text);
