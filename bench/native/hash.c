// Open addressing with growing steps: hashes, keys and values are arrays of their own, and the
// first place of a key is its hash modulo a prime.
#include "hash.h"
#include <stdlib.h>

/* Smallest table, and the largest primes below powers of two. */
#define LOG2_MIN 3
static const uint32_t PRIMES[] = {1,    2,    3,     7,     13,    31,     61,     127,    251,
                                  509,  1021, 2039,  4093,  8191,  16381,  32749,  65521,  131071,
                                  262139, 524287, 1048573};
#define FREE 0
/* Spreads hashes that count upwards. */
#define SPREAD 11

static void make_room(struct hash_table *table, uint32_t log2) {
  size_t size = (size_t)1 << log2;
  table->log2 = log2;
  table->prime = PRIMES[log2];
  table->hashes = calloc(size, sizeof *table->hashes);
  table->keys = calloc(size, sizeof *table->keys);
  table->values = calloc(size, sizeof *table->values);
}

static uint32_t hash_of(const struct hash_table *table, const void *key) {
  uint32_t hash = table->hash ? table->hash(key) : (uint32_t)(uintptr_t)key;
  return hash == FREE ? 1 : hash;
}

/* Place of a key, or the free place where it would go. */
static uint32_t place_of(const struct hash_table *table, const void *key, uint32_t hash) {
  uint32_t mask = ((uint32_t)1 << table->log2) - 1;
  uint32_t at = (hash * SPREAD) % table->prime;
  for (uint32_t step = 1; table->hashes[at] != FREE; at = (at + step++) & mask) {
    if (table->hashes[at] != hash) continue;
    if (table->equal ? table->equal(table->keys[at], key) : table->keys[at] == key) break;
  }
  return at;
}

static void put(struct hash_table *table, void *key, void *value, uint32_t hash) {
  uint32_t at = place_of(table, key, hash);
  table->hashes[at] = hash;
  table->keys[at] = key;
  table->values[at] = value;
  table->used++;
}

/* Moves everything into a table of twice the size. */
static void grow(struct hash_table *table) {
  struct hash_table old = *table;
  make_room(table, old.log2 + 1);
  table->used = 0;
  for (uint32_t i = 0; i < (uint32_t)1 << old.log2; i++) {
    if (old.hashes[i] != FREE) put(table, old.keys[i], old.values[i], old.hashes[i]);
  }
  free(old.hashes);
  free(old.keys);
  free(old.values);
}

void hash_init(struct hash_table *table, hash_function hash, equal_function equal,
               free_function free_key, free_function free_value) {
  *table = (struct hash_table){.hash = hash, .equal = equal};
  table->free_key = free_key;
  table->free_value = free_value;
  make_room(table, LOG2_MIN);
}

void *hash_lookup(const struct hash_table *table, const void *key) {
  uint32_t at = place_of(table, key, hash_of(table, key));
  return table->hashes[at] == FREE ? NULL : table->values[at];
}

void hash_insert(struct hash_table *table, void *key, void *value) {
  uint32_t size = (uint32_t)1 << table->log2;
  if (table->used + table->used / 16 + 1 >= size) grow(table);
  put(table, key, value, hash_of(table, key));
}

void hash_clear(struct hash_table *table) {
  struct hash_table old = *table;
  make_room(table, LOG2_MIN);
  table->used = 0;
  for (uint32_t i = 0; i < (uint32_t)1 << old.log2; i++) {
    if (old.hashes[i] == FREE) continue;
    if (old.free_key) old.free_key(old.keys[i]);
    if (old.free_value) old.free_value(old.values[i]);
  }
  free(old.hashes);
  free(old.keys);
  free(old.values);
}
