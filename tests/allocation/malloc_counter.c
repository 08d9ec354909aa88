// Counts what the workers' threads allocate. Preloaded into Weir; the counts are in the file that
// MALLOC_COUNT_FILE names, as native 64-bit numbers: how often, and the bytes that they have not
// freed, with what malloc needs for itself.
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

struct counts {
  _Atomic uint64_t allocations;
  _Atomic int64_t bytes_held;
};
static struct counts* counts;

__attribute__((constructor)) static void open_counts(void) {
  const char* path = getenv("MALLOC_COUNT_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, sizeof *counts) != 0) abort();
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
}

static bool is_worker(void) {
  char name[16] = "";
  if (counts == NULL || prctl(PR_GET_NAME, name) != 0) return false;
  return strncmp(name, "weir-worker-", 12) == 0;
}

static int64_t bytes_of(void* memory) {
  return memory == NULL ? 0 : (int64_t)(malloc_usable_size(memory) + sizeof(size_t));
}

static void* count(void* made, int64_t bytes_before) {
  if (is_worker()) {
    atomic_fetch_add(&counts->allocations, 1);
    atomic_fetch_add(&counts->bytes_held, bytes_of(made) - bytes_before);
  }
  return made;
}

void* malloc(size_t bytes) { return count(__libc_malloc(bytes), 0); }

void* calloc(size_t items, size_t bytes) { return count(__libc_calloc(items, bytes), 0); }

void* realloc(void* old, size_t bytes) {
  const int64_t before = bytes_of(old);
  return count(__libc_realloc(old, bytes), before);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return count(__libc_memalign(alignment, bytes), 0);
}

void free(void* memory) {
  if (memory != NULL && is_worker()) atomic_fetch_sub(&counts->bytes_held, bytes_of(memory));
  __libc_free(memory);
}
