// A native engine as a long-lived process: reads one command a line, answers one line.
//   load BYTES PAGES      fills linear memory with the bytes that follow; PAGES is small or huge
//   call NAME ARG...      calls a function of the ABI; answers its result
//   time NAME ARG...      calls a function of the ABI; answers nanoseconds of processor time
//   cpu                   answers the processor time of this process so far, in nanoseconds
//   pass NAME R A N CALL  calls NAME(requests, answers, count) over N requests; answers the
//                         nanoseconds of processor time
//   sum AT BYTES          checksum of linear memory
//   clear AT BYTES        zeroes linear memory
#define _GNU_SOURCE
#include "qemu-shaped.h"
#include "runtime.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "engine.inc"

/* Bytes of a request and of an answer. */
#define RECORD 16

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* All pages are present afterwards, as those are that a Wasm engine's owner has written. */
static int load(size_t bytes, bool huge) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  void *at = mmap(LINEAR, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at != (void *)LINEAR) return 1;
  if (huge) madvise(at, bytes, MADV_HUGEPAGE);
  return fread(at, 1, bytes, stdin) != bytes;
}

/* Functions beside the engine's own. */
static bool own_call(const char *name, const u64 *a) {
  if (!strcmp(name, "qemuAttach")) qemu_attach(a[0], a[1], a[2], (u32)a[3]);
  else if (!strcmp(name, "qemuFlush")) qemu_flush();
  else return false;
  return true;
}

static double time_call(const char *name, const u64 *args) {
  u64 result = 0;
  double start = now_ns();
  return abi_call(name, args, &result) ? now_ns() - start : -1;
}

static u32 checksum(u32 at, u32 bytes) {
  u32 sum = 0x811c9dc5;
  for (u32 i = 0; i < bytes; i += 4) {
    sum = (sum ^ load_u32(at + i)) * 0x01000193;
    sum ^= sum >> 15;
  }
  return sum;
}

static double pass(const char *name, u32 requests, u32 answers, u32 count, u32 call) {
  batch_function f = strcmp(name, "qemuTranslate") ? batch_named(name) : qemu_translate;
  if (!f) return -1;
  double start = now_ns();
  for (u32 done = 0; done < count; done += call) {
    u32 n = count - done < call ? count - done : call;
    f(requests + done * RECORD, answers + done * RECORD, n);
  }
  return now_ns() - start;
}

int main(void) {
  char line[512];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    char *words[16];
    int n = 0;
    for (char *w = strtok(line, " \n"); w && n < 16; w = strtok(NULL, " \n")) words[n++] = w;
    if (n == 0) continue;
    u64 args[16] = {0};
    for (int i = 2; i < n; i++) args[i - 2] = strtoull(words[i], NULL, 0);
    if (!strcmp(words[0], "load")) {
      size_t bytes = strtoull(words[1], NULL, 0);
      printf("%d\n", load(bytes, n > 2 && !strcmp(words[2], "huge")));
    } else if (!strcmp(words[0], "call")) {
      u64 result = 0;
      bool done = own_call(words[1], args) || abi_call(words[1], args, &result);
      if (done) printf("%llu\n", (unsigned long long)result);
      else printf("no function\n");
    } else if (!strcmp(words[0], "time")) {
      printf("%.0f\n", time_call(words[1], args));
    } else if (!strcmp(words[0], "cpu")) {
      printf("%.0f\n", now_ns());
    } else if (!strcmp(words[0], "pass")) {
      printf("%.0f\n", pass(words[1], (u32)args[0], (u32)args[1], (u32)args[2], (u32)args[3]));
    } else if (!strcmp(words[0], "sum")) {
      printf("%u\n", checksum((u32)strtoul(words[1], NULL, 0), (u32)args[0]));
    } else if (!strcmp(words[0], "clear")) {
      memset(LINEAR + strtoul(words[1], NULL, 0), 0, args[0]);
      printf("0\n");
    } else {
      printf("no command\n");
    }
  }
  return 0;
}
