// A hash table of pointers whose keys are hashed, compared and freed by functions of its owner.
#ifndef HASH_H
#define HASH_H
#include <stdbool.h>
#include <stdint.h>

typedef uint32_t (*hash_function)(const void *key);
typedef bool (*equal_function)(const void *a, const void *b);
typedef void (*free_function)(void *);

struct hash_table {
  uint32_t log2, prime, used;
  uint32_t *hashes;
  void **keys, **values;
  hash_function hash;
  equal_function equal;
  free_function free_key, free_value;
};

/* Functions may be NULL: keys are then compared as pointers, and nothing is freed. */
void hash_init(struct hash_table *table, hash_function hash, equal_function equal,
               free_function free_key, free_function free_value);
/* The value under a key, or NULL. */
void *hash_lookup(const struct hash_table *table, const void *key);
/* Keeps a value under a key that the table does not have; both belong to the table from now on. */
void hash_insert(struct hash_table *table, void *key, void *value);
/* Forgets and frees everything, and starts small again. */
void hash_clear(struct hash_table *table);
#endif
