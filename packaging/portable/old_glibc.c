/* What the library and the C++ runtime inside it use of glibc's newer releases, made of
 * what every glibc since 2.17 has, so that a self-contained libbnq.so runs with it though
 * it was linked with a newer one. Each definition takes the place of glibc's within the
 * library alone; where its version of old still exists, that is what is called.
 *
 * The other way is a compiler and a C library of that time, whose C++ runtime is too old
 * for the library. check.py says what a library needs, whatever is in it. */
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#define STAT_VERSION 1
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#define STAT_VERSION 0
#else
#error "the versions of this CPU's glibc are not known here"
#endif
/* DECLARE_OLD(name): old_name is the function as the oldest glibc has it. */
#define DECLARE_OLD(name) __asm__(".symver old_" #name ", " #name "@" OLDEST)
#define HIDDEN __attribute__((visibility("hidden")))

/* 2.34: threads moved from libpthread to libc, and 2.32: pthread_sigmask. */
extern int old_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
extern int old_pthread_join(pthread_t, void**);
extern int old_pthread_once(pthread_once_t*, void (*)(void));
extern int old_pthread_sigmask(int, const sigset_t*, sigset_t*);
DECLARE_OLD(pthread_create);
DECLARE_OLD(pthread_join);
DECLARE_OLD(pthread_once);
DECLARE_OLD(pthread_sigmask);

HIDDEN int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                          void* (*run)(void*), void* argument) {
  return old_pthread_create(thread, attributes, run, argument);
}
HIDDEN int pthread_join(pthread_t thread, void** result) {
  return old_pthread_join(thread, result);
}
HIDDEN int pthread_once(pthread_once_t* once, void (*run)(void)) {
  return old_pthread_once(once, run);
}
HIDDEN int pthread_sigmask(int how, const sigset_t* set, sigset_t* before) {
  return old_pthread_sigmask(how, set, before);
}
/* The C++ runtime asks whether it is there, and never calls it. */
HIDDEN int __pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) {
  (void)key, (void)destroy;
  return ENOSYS;
}

/* 2.34 (2.30 in libpthread): a wait on a clock of choice. The callers wait in loops that
 * look at their own clock, as the C++ runtime did before. */
HIDDEN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  clockid_t clock, const struct timespec* until) {
  struct timespec now, at;
  int64_t nanoseconds;
  if (clock_gettime(clock, &now) != 0 || clock_gettime(CLOCK_REALTIME, &at) != 0) return EINVAL;
  nanoseconds = (int64_t)at.tv_nsec + until->tv_nsec - now.tv_nsec;
  at.tv_sec += until->tv_sec - now.tv_sec;
  for (; nanoseconds < 0; nanoseconds += 1000000000) at.tv_sec -= 1;
  for (; nanoseconds >= 1000000000; nanoseconds -= 1000000000) at.tv_sec += 1;
  if (at.tv_sec < 0) at.tv_sec = 0;
  at.tv_nsec = (long)nanoseconds;
  return pthread_cond_timedwait(condition, mutex, &at);
}

/* 2.33: before it, stat and its kin were inline calls of these. */
extern int old___xstat(int, const char*, struct stat*);
extern int old___lxstat(int, const char*, struct stat*);
extern int old___fxstat(int, int, struct stat*);
DECLARE_OLD(__xstat);
DECLARE_OLD(__lxstat);
DECLARE_OLD(__fxstat);
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "they are one struct");

HIDDEN int stat(const char* restrict path, struct stat* restrict result) {
  return old___xstat(STAT_VERSION, path, result);
}
HIDDEN int lstat(const char* restrict path, struct stat* restrict result) {
  return old___lxstat(STAT_VERSION, path, result);
}
HIDDEN int fstat(int file, struct stat* result) {
  return old___fxstat(STAT_VERSION, file, result);
}
HIDDEN int stat64(const char* restrict path, struct stat64* restrict result) {
  return old___xstat(STAT_VERSION, path, (struct stat*)result);
}
HIDDEN int lstat64(const char* restrict path, struct stat64* restrict result) {
  return old___lxstat(STAT_VERSION, path, (struct stat*)result);
}
HIDDEN int fstat64(int file, struct stat64* result) {
  return old___fxstat(STAT_VERSION, file, (struct stat*)result);
}

/* 2.38: since it, C++ programs get functions that also read binary numbers. */
extern long long old_strtoll(const char*, char**, int);
extern unsigned long long old_strtoull(const char*, char**, int);
DECLARE_OLD(strtoll);
DECLARE_OLD(strtoull);
HIDDEN long long __isoc23_strtoll(const char* restrict text, char** restrict end, int base) {
  return old_strtoll(text, end, base);
}
HIDDEN unsigned long long __isoc23_strtoull(const char* restrict text, char** restrict end,
                                            int base) {
  return old_strtoull(text, end, base);
}

/* 2.32: whether there is one thread, so that reference counts need no atomics. */
HIDDEN char __libc_single_threaded = 0;

/* 2.25 and 2.36: what std::random_device may use. */
HIDDEN int getentropy(void* buffer, size_t size) {
  long got;
  if (size > 256) return errno = EIO, -1;
  do got = syscall(SYS_getrandom, buffer, size, 0);
  while (got < 0 && errno == EINTR);
  return got == (long)size ? 0 : -1;
}
HIDDEN uint32_t arc4random(void) {
  uint32_t value;
  if (getentropy(&value, sizeof value) != 0) abort();
  return value;
}

/* 2.35: where the table is by which an exception finds its handler. */
#if __GLIBC_PREREQ(2, 35)
struct search {
  uintptr_t address;
  struct dl_find_object* result;
};

static int look_at(struct dl_phdr_info* object, size_t size, void* data) {
  const struct search* search = data;
  uintptr_t table = 0;
  int found = 0;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)* segment = &object->dlpi_phdr[i];
    const uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_GNU_EH_FRAME) table = begin;
    if (segment->p_type == PT_LOAD && search->address - begin < segment->p_memsz) {
      search->result->dlfo_map_start = (void*)begin;
      search->result->dlfo_map_end = (void*)(begin + segment->p_memsz);
      found = 1;
    }
  }
  if (!found || table == 0) return 0;
  search->result->dlfo_eh_frame = (void*)table;
  return 1;
}

HIDDEN int _dl_find_object(void* address, struct dl_find_object* result) {
  struct search search = {(uintptr_t)address, result};
  result->dlfo_flags = 0;
  result->dlfo_link_map = NULL;
  return dl_iterate_phdr(look_at, &search) == 1 ? 0 : -1;
}
#endif
