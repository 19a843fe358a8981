// Which sanitizer a test runs under. Asked at run time, since tests that were
// compiled without one are linked with libraries that were.
#ifndef BNQ_TESTS_SUPPORT_SANITIZER_H_
#define BNQ_TESTS_SUPPORT_SANITIZER_H_

#if defined(__ELF__)
extern "C" {
__attribute__((weak)) void __asan_init();
__attribute__((weak)) void __tsan_init();
}
#endif

namespace bnq_test {

// Whether memory is the address or thread sanitizer's: its allocator, and
// shadow pages beside every page.
inline bool SanitizedMemory() {
#if defined(__ELF__)
  return &__asan_init != nullptr || &__tsan_init != nullptr;
#else
  return false;
#endif
}

}  // namespace bnq_test

#endif  // BNQ_TESTS_SUPPORT_SANITIZER_H_
