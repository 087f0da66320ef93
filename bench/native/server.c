// A native engine as a long-lived process: reads one command a line, answers one line.
//   map PATH BYTES        puts an image into linear memory (private: the file stays as it is)
//   call NAME ARG...      calls a function of the ABI; answers its result
//   pass NAME R A N CALL  calls NAME(requests, answers, count) over N requests; answers nanoseconds
//   sum AT BYTES          checksum of linear memory
//   clear AT BYTES        zeroes linear memory
#define _GNU_SOURCE
#include "runtime.h"
#include <fcntl.h>
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
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int map_image(const char *path, size_t bytes) {
  int file = open(path, O_RDONLY);
  if (file < 0) return 1;
  void *at = mmap(LINEAR, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0);
  close(file);
  return at != (void *)LINEAR;
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
  batch_function f = batch_named(name);
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
    if (!strcmp(words[0], "map")) {
      printf("%d\n", map_image(words[1], args[0]));
    } else if (!strcmp(words[0], "call")) {
      u64 result = 0;
      if (abi_call(words[1], args, &result)) printf("%llu\n", (unsigned long long)result);
      else printf("no function\n");
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
