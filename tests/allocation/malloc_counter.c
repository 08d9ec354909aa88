// Counts what the workers' threads allocate. Preloaded into Weir; the count is in the file that
// MALLOC_COUNT_FILE names, as a native 64-bit number.
#define _GNU_SOURCE
#include <fcntl.h>
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

static _Atomic uint64_t* count;

__attribute__((constructor)) static void open_count(void) {
  const char* path = getenv("MALLOC_COUNT_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, sizeof *count) != 0) abort();
  count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
}

static void count_if_worker(void) {
  char name[16] = "";
  if (count == NULL || prctl(PR_GET_NAME, name) != 0) return;
  if (strncmp(name, "weir-worker-", 12) == 0) atomic_fetch_add(count, 1);
}

void* malloc(size_t bytes) {
  count_if_worker();
  return __libc_malloc(bytes);
}

void* calloc(size_t items, size_t bytes) {
  count_if_worker();
  return __libc_calloc(items, bytes);
}

void* realloc(void* old, size_t bytes) {
  count_if_worker();
  return __libc_realloc(old, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  count_if_worker();
  return __libc_memalign(alignment, bytes);
}
