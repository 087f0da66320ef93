// A translator with the data structures of QEMU's SMMUv3 model: a mutex around each translation, a
// hash table of configurations, a hash table of at most 256 translations that is emptied when it is
// full and asked once for each level, and walks that read each descriptor through a memory
// dispatch. It answers streams with 4 KiB granules whose stage 2, if any, is write-back; faults are
// answered and not recorded.
#include "qemu-shaped.h"
#include "hash.h"
#include "layout.h"
#include <pthread.h>
#include <stdlib.h>

#define TRANSLATIONS_MAX 256
#define STREAMS 256
#define GRANULE 12
#define GRANULE_CODE 1
#define STRIDE 9
#define LEVELS 4
#define ENTRY_BYTES 64
#define PERM_R 1
#define PERM_W 2
#define PERM_X 4
#define STAGE_1 1
#define STAGE_2 2
#define NESTED 3
#define NO_ASID -1

/* What a stream's STE and CD say. */
struct config {
  int stage, asid, vmid;
  u64 ttb, vttb, mair;
  u32 input_bits, ipa_bits, hits, misses;
};

struct key {
  u64 iova;
  int asid, vmid;
  u8 granule, level;
};

struct translation {
  u64 iova, output, mask;
  u32 perm, attr, sh;
  u8 level, granule;
};

struct fault {
  u32 type;
};

/* One device behind the SMMU. */
struct device {
  u32 sid;
  struct config *(*configuration)(struct device *device);
};

/* --- Guest memory: one flat view of regions, of which the last one used is tried first. --- */

struct region {
  u64 base, bytes;
  u8 *host;
};

struct view {
  struct region *recent;
  struct region regions[1];
};

static struct view *current_view;
static __thread int readers;

static __attribute__((noinline)) struct region *find_region(struct view *view, u64 at) {
  struct region *region = __atomic_load_n(&view->recent, __ATOMIC_RELAXED);
  if (region && at >= region->base && at - region->base < region->bytes) return region;
  region = &view->regions[0];
  if (at < region->base || at - region->base >= region->bytes) return NULL;
  __atomic_store_n(&view->recent, region, __ATOMIC_RELAXED);
  return region;
}

static __attribute__((noinline)) bool read_word(u64 at, u64 *word) {
  readers++;
  struct region *region = find_region(__atomic_load_n(&current_view, __ATOMIC_ACQUIRE), at);
  if (region) memcpy(word, region->host + (at - region->base), sizeof *word);
  readers--;
  return region != NULL;
}

static bool read_words(u64 at, u64 *words, int count) {
  for (int i = 0; i < count; i++) {
    if (!read_word(at + (u64)i * sizeof *words, &words[i])) return false;
  }
  return true;
}

/* --- Translations by key. --- */

static struct hash_table translations, configs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static u64 stream_table;
static struct device devices[STREAMS];

static u32 turn(u32 x, int bits) { return (x << bits) | (x >> (32 - bits)); }

/* Bob Jenkins' lookup3 over the three words of a key. */
static u32 hash_key(const void *pointer) {
  const struct key *key = pointer;
  u32 a = 0xdeadbeef + sizeof *key, b = a, c = a;
  a += (u32)key->asid + (u32)key->vmid + key->level + key->granule;
  b += (u32)key->iova;
  c += (u32)(key->iova >> 32);
  a = (a - c) ^ turn(c, 4), c += b;
  b = (b - a) ^ turn(a, 6), a += c;
  c = (c - b) ^ turn(b, 8), b += a;
  a = (a - c) ^ turn(c, 16), c += b;
  b = (b - a) ^ turn(a, 19), a += c;
  c = (c - b) ^ turn(b, 4), b += a;
  c = (c ^ b) - turn(b, 14);
  a = (a ^ c) - turn(c, 11);
  b = (b ^ a) - turn(a, 25);
  c = (c ^ b) - turn(b, 16);
  a = (a ^ c) - turn(c, 4);
  b = (b ^ a) - turn(a, 14);
  return (c ^ b) - turn(b, 24);
}

static bool equal_keys(const void *first, const void *second) {
  const struct key *a = first, *b = second;
  return a->asid == b->asid && a->iova == b->iova && a->level == b->level &&
         a->granule == b->granule && a->vmid == b->vmid;
}

static int first_level(u32 input_bits) { return LEVELS - ((int)input_bits - 4) / STRIDE; }

static u64 mask_of(int level) { return (1ull << (GRANULE + STRIDE * (LEVELS - 1 - level))) - 1; }

static struct translation *find_translation(struct config *config, u64 iova, u32 bits) {
  struct translation *found = NULL;
  for (int level = first_level(bits); level < LEVELS && !found; level++) {
    struct key key = {iova & ~mask_of(level), config->asid, config->vmid, GRANULE_CODE, level};
    found = hash_lookup(&translations, &key);
  }
  if (found) config->hits++;
  else config->misses++;
  return found;
}

static void keep_translation(struct config *config, struct translation *t) {
  if (translations.used >= TRANSLATIONS_MAX) hash_clear(&translations);
  struct key *key = calloc(1, sizeof *key);
  *key = (struct key){t->iova, config->asid, config->vmid, t->granule, t->level};
  hash_insert(&translations, key, t);
}

/* --- Walks. --- */

static struct translation *translate(struct config *config, u64 input, u32 need,
                                     struct fault *fault);

static u64 index_of(u64 input, int level) {
  return (input >> (GRANULE + STRIDE * (LEVELS - 1 - level))) & ((1u << STRIDE) - 1);
}

/* Whether a descriptor ends the walk, and whether it points to a table. */
static bool is_table(u64 word, int level) { return level < LEVELS - 1 && S1TABLE_type(&word); }

static bool is_invalid(u64 word, int level) {
  if (!S1LEAF_valid(&word)) return true;
  return level == LEVELS - 1 ? !S1LEAF_type(&word) : level == 0 && !S1TABLE_type(&word);
}

static int set_fault(struct fault *fault, u32 type) {
  fault->type = type;
  return -1;
}

static void set_leaf(struct translation *t, u64 input, u64 output, int level) {
  t->mask = mask_of(level);
  t->iova = input & ~t->mask;
  t->output = output & ~t->mask;
  t->level = (u8)level;
  t->granule = GRANULE_CODE;
}

/* The stage 1 tables of a nested stream lie behind stage 2. */
static int enter_table(struct config *config, u64 *table, struct fault *fault) {
  if (config->stage != NESTED) return 0;
  int asid = config->asid;
  config->stage = STAGE_2;
  config->asid = NO_ASID;
  struct translation *t = translate(config, *table, PERM_R, fault);
  config->asid = asid;
  config->stage = NESTED;
  if (!t) return -1;
  *table = t->output | (*table & t->mask);
  return 0;
}

static u32 stage1_permissions(const u64 *word) {
  u32 perm = S1LEAF_UXN(word) ? 0 : PERM_X;
  if (!S1LEAF_AP1(word)) return perm;
  return perm | (S1LEAF_AP2(word) ? PERM_R : PERM_R | PERM_W);
}

static int walk_stage1(struct config *config, u64 iova, u32 need, struct translation *t,
                       struct fault *fault) {
  u64 table = config->ttb;
  if (iova >> config->input_bits) return set_fault(fault, F_TRANSLATION);
  for (int level = first_level(config->input_bits); level < LEVELS; level++) {
    u64 word;
    if (!read_word(table + index_of(iova, level) * sizeof word, &word)) {
      return set_fault(fault, F_WALK_EABT);
    }
    if (is_invalid(word, level)) break;
    if (is_table(word, level)) {
      table = S1TABLE_NLTA(&word);
      if (enter_table(config, &table, fault)) return -1;
      continue;
    }
    if (!S1LEAF_AF(&word)) return set_fault(fault, F_ACCESS);
    t->perm = stage1_permissions(&word);
    if (!(t->perm & need)) return set_fault(fault, F_PERMISSION);
    t->attr = (u8)(config->mair >> (S1LEAF_AttrIndx(&word) * 8));
    t->sh = (u32)S1LEAF_SH(&word);
    set_leaf(t, iova, S1LEAF_OA(&word), level);
    return 0;
  }
  return set_fault(fault, F_TRANSLATION);
}

static int walk_stage2(struct config *config, u64 ipa, u32 need, struct translation *t,
                       struct fault *fault) {
  u64 table = config->vttb;
  if (ipa >> config->ipa_bits) return set_fault(fault, F_TRANSLATION);
  for (int level = first_level(config->ipa_bits); level < LEVELS; level++) {
    u64 word;
    if (!read_word(table + index_of(ipa, level) * sizeof word, &word)) {
      return set_fault(fault, F_WALK_EABT);
    }
    if (is_invalid(word, level)) break;
    if (is_table(word, level)) {
      table = S1TABLE_NLTA(&word);
      continue;
    }
    if (!S2LEAF_AF(&word)) return set_fault(fault, F_ACCESS);
    t->perm = (S2LEAF_S2AP0(&word) ? PERM_R : 0) | (S2LEAF_S2AP1(&word) ? PERM_W : 0) |
              (S2LEAF_XN(&word) < 2 ? PERM_X : 0);
    if (!(t->perm & need)) return set_fault(fault, F_PERMISSION);
    t->sh = (u32)S2LEAF_SH(&word);
    set_leaf(t, ipa, S2LEAF_OA(&word), level);
    return 0;
  }
  return set_fault(fault, F_TRANSLATION);
}

/* Shareabilities: 2 is outer, 3 inner. */
static u32 wider(u32 a, u32 b) { return a == 2 || b == 2 ? 2 : a > b ? a : b; }

/* Puts stage 2 on top of stage 1: the smaller page, both permissions. */
static void combine(struct translation *t, const struct translation *second, u64 iova) {
  u64 ipa = t->output | (iova & t->mask);
  if (second->mask < t->mask) {
    t->mask = second->mask;
    t->level = second->level;
  }
  t->output = (second->output | (ipa & second->mask)) & ~t->mask;
  t->iova = iova & ~t->mask;
  t->perm &= second->perm;
  t->sh = wider(t->sh, second->sh);
}

static int walk(struct config *config, u64 input, u32 need, struct translation *t,
                struct fault *fault) {
  if (config->stage == STAGE_2) return walk_stage2(config, input, need, t, fault);
  if (walk_stage1(config, input, need, t, fault)) return -1;
  if (config->stage == STAGE_1) return 0;
  struct translation second = {0};
  if (walk_stage2(config, t->output | (input & t->mask), need, &second, fault)) return -1;
  combine(t, &second, input);
  return 0;
}

/* A translation of the configuration's stages, from the hash table or from the tables. */
static struct translation *translate(struct config *config, u64 input, u32 need,
                                     struct fault *fault) {
  u32 bits = config->stage == STAGE_2 ? config->ipa_bits : config->input_bits;
  struct translation *t = find_translation(config, input, bits);
  if (t) {
    if (t->perm & need) return t;
    set_fault(fault, F_PERMISSION);
    return NULL;
  }
  t = calloc(1, sizeof *t);
  if (walk(config, input, need, t, fault)) {
    free(t);
    return NULL;
  }
  keep_translation(config, t);
  return t;
}

/* --- Configurations and the call that a device's access makes. --- */

static struct config *decode(u32 sid) {
  u64 ste[ENTRY_BYTES / 8], cd[ENTRY_BYTES / 8];
  if (!read_words(stream_table + (u64)sid * ENTRY_BYTES, ste, ENTRY_BYTES / 8)) return NULL;
  struct config *config = calloc(1, sizeof *config);
  struct fault fault;
  config->stage = (int)STE_Config(ste) & NESTED;
  config->vmid = config->stage & STAGE_2 ? (int)STE_S2VMID(ste) : -1;
  config->vttb = STE_S2TTB(ste);
  config->ipa_bits = 64 - (u32)STE_S2T0SZ(ste);
  u64 at = STE_S1ContextPtr(ste);
  if (enter_table(config, &at, &fault) || !read_words(at, cd, ENTRY_BYTES / 8)) {
    free(config);
    return NULL;
  }
  config->asid = (int)CD_ASID(cd);
  config->input_bits = 64 - (u32)CD_T0SZ(cd);
  config->mair = CD_MAIR0(cd) | CD_MAIR1(cd) << 32;
  config->ttb = CD_TTB0(cd);
  if (enter_table(config, &config->ttb, &fault)) {
    free(config);
    return NULL;
  }
  return config;
}

static struct config *configuration(struct device *device) {
  struct config *config = hash_lookup(&configs, device);
  if (config) return config;
  config = decode(device->sid);
  if (config) hash_insert(&configs, device, config);
  return config;
}

/* What the memory system gets for an access. */
struct reply {
  u64 iova, output, mask;
  u32 perm, attr, sh, stage, fault;
};

static struct reply access_device(struct device *device, u64 iova, u32 need) {
  struct reply reply = {.iova = iova};
  struct fault fault = {0};
  pthread_mutex_lock(&mutex);
  struct config *config = device->configuration(device);
  struct translation *t = config ? translate(config, iova, need, &fault) : NULL;
  if (t) {
    reply.output = t->output | (iova & t->mask);
    reply.mask = t->mask;
    reply.perm = t->perm;
    reply.attr = t->attr;
    reply.sh = t->sh;
    reply.stage = (u32)config->stage;
  }
  reply.fault = fault.type;
  pthread_mutex_unlock(&mutex);
  return reply;
}

/* The callback of a device's memory region. */
static struct reply (*volatile on_access)(struct device *, u64, u32) = access_device;

/* One request of the ring, 16 bytes; and one answer. */
static void answer_request(u32 request, u32 answer) {
  u64 flags = load_u32(request + 12);
  struct device *device = &devices[load_u32(request + 8) % STREAMS];
  u32 need = REQUEST_FLAGS_write(&flags) ? PERM_W : PERM_R;
  struct reply r = on_access(device, load_u64(request), need);
  u64 meta = put_ANSWER_META_status(STATUS_EVENT) | put_ANSWER_META_eventType(r.fault);
  if (!r.fault) {
    meta = put_ANSWER_META_status(STATUS_OK) | put_ANSWER_META_perm(r.perm) |
           put_ANSWER_META_pageBits(ctz_u64(~r.mask)) | put_ANSWER_META_memAttr(r.attr) |
           put_ANSWER_META_sh(r.sh) | put_ANSWER_META_stage(r.stage);
  }
  store_u64(answer, r.output);
  store_u64(answer + 8, meta);
}

void qemu_translate(u32 requests, u32 answers, u32 count) {
  for (u32 i = 0; i < count; i++) answer_request(requests + i * 16, answers + i * 16);
}

void qemu_flush(void) {
  hash_clear(&translations);
  hash_clear(&configs);
}

void qemu_attach(u64 table, u64 base, u64 bytes, u32 lin) {
  static struct view view;
  view = (struct view){.regions = {{base, bytes, LINEAR + lin}}};
  __atomic_store_n(&current_view, &view, __ATOMIC_RELEASE);
  stream_table = table;
  for (u32 sid = 0; sid < STREAMS; sid++) devices[sid] = (struct device){sid, configuration};
  hash_init(&translations, hash_key, equal_keys, free, free);
  hash_init(&configs, NULL, NULL, NULL, free);
}
