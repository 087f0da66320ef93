// What the translated engine stands on: linear memory at a fixed place, and the language's built-ins.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef i64 v128 __attribute__((vector_size(16)));
typedef u64 v128u __attribute__((vector_size(16)));

/* Linear memory is mapped here, so that its base is a constant, as it is for a Wasm engine. */
#define LINEAR ((u8 *)0x200000000000ull)

#define ACCESS(type)                                                                               \
  static inline type load_##type(u32 at) {                                                         \
    type value;                                                                                    \
    memcpy(&value, LINEAR + at, sizeof value);                                                     \
    return value;                                                                                  \
  }                                                                                                \
  static inline void store_##type(u32 at, type value) {                                            \
    memcpy(LINEAR + at, &value, sizeof value);                                                     \
  }
ACCESS(u8)
ACCESS(u16)
ACCESS(u32)
ACCESS(u64)
ACCESS(i8)
ACCESS(i16)
ACCESS(i32)
ACCESS(i64)
ACCESS(v128)

#define ATOMIC(type)                                                                               \
  static inline type atomic_load_##type(u32 at) {                                                  \
    return __atomic_load_n((type *)(LINEAR + at), __ATOMIC_SEQ_CST);                               \
  }                                                                                                \
  static inline void atomic_store_##type(u32 at, type value) {                                     \
    __atomic_store_n((type *)(LINEAR + at), value, __ATOMIC_SEQ_CST);                              \
  }                                                                                                \
  static inline type atomic_add_##type(u32 at, type value) {                                       \
    return __atomic_fetch_add((type *)(LINEAR + at), value, __ATOMIC_SEQ_CST);                     \
  }                                                                                                \
  static inline type atomic_xchg_##type(u32 at, type value) {                                      \
    return __atomic_exchange_n((type *)(LINEAR + at), value, __ATOMIC_SEQ_CST);                    \
  }
ATOMIC(u32)
ATOMIC(u64)

#define ORDER(type)                                                                                \
  static inline type min_##type(type a, type b) { return a < b ? a : b; }                          \
  static inline type max_##type(type a, type b) { return a > b ? a : b; }
ORDER(u32)
ORDER(i32)
ORDER(u64)
ORDER(i64)

static inline u32 ctz_u32(u32 v) { return v ? (u32)__builtin_ctz(v) : 32; }
static inline i32 ctz_i32(i32 v) { return (i32)ctz_u32((u32)v); }
static inline u64 ctz_u64(u64 v) { return v ? (u64)__builtin_ctzll(v) : 64; }
static inline u32 clz_u32(u32 v) { return v ? (u32)__builtin_clz(v) : 32; }
static inline u64 clz_u64(u64 v) { return v ? (u64)__builtin_clzll(v) : 64; }
static inline u32 popcnt_u32(u32 v) { return (u32)__builtin_popcount(v); }
static inline u64 popcnt_u64(u64 v) { return (u64)__builtin_popcountll(v); }
static inline u32 bswap_u32(u32 v) { return __builtin_bswap32(v); }
static inline u64 bswap_u64(u64 v) { return __builtin_bswap64(v); }

static inline void memory_fill(u32 at, u8 value, u32 bytes) { memset(LINEAR + at, value, bytes); }
static inline void memory_copy(u32 to, u32 from, u32 bytes) {
  memmove(LINEAR + to, LINEAR + from, bytes);
}

static inline v128 i64x2_splat(i64 v) { return (v128){v, v}; }
static inline v128 i64x2_eq(v128 a, v128 b) { return (v128)(a == b); }
static inline v128 i64x2_gt_s(v128 a, v128 b) { return (v128)(a > b); }
static inline v128 i64x2_sub(v128 a, v128 b) { return (v128)((v128u)a - (v128u)b); }
static inline v128 i64x2_shl(v128 a, i32 n) { return (v128)((v128u)a << n); }
static inline v128 v128_andnot(v128 a, v128 b) { return a & ~b; }
static inline v128 v128_and(v128 a, v128 b) { return a & b; }
static inline v128 v128_or(v128 a, v128 b) { return a | b; }
static inline bool v128_any_true(v128 a) { return (a[0] | a[1]) != 0; }
static inline i32 i64x2_bitmask(v128 a) {
#ifdef __SSE2__
  return __builtin_ia32_movmskpd((__attribute__((vector_size(16))) double)a);
#else
  return (a[0] < 0) | ((a[1] < 0) << 1);
#endif
}
#define shuffle_64(a, b, i, j) ((v128){(i) < 2 ? (a)[(i)&1] : (b)[(i)&1], (j) < 2 ? (a)[(j)&1] : (b)[(j)&1]})
