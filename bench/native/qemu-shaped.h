// A translator with the data structures of QEMU's SMMUv3 model.
#ifndef QEMU_SHAPED_H
#define QEMU_SHAPED_H
#include "runtime.h"

/* The stream table, and the RAM: its guest address, size and linear address. */
void qemu_attach(u64 stream_table, u64 base, u64 bytes, u32 lin);
/* Forgets translations and configurations. */
void qemu_flush(void);
/* Translates `count` requests one by one, as the engine's batch call does. */
void qemu_translate(u32 requests, u32 answers, u32 count);
#endif
