#include "core/base/process.h"

#include <atomic>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace bnq {
namespace {

// How many forks lie between this process and the one that made the first mark.
std::atomic<uint64_t> g_forks{0};

}  // namespace

ProcessMark::ProcessMark() {
#if defined(__unix__) || defined(__APPLE__)
  static const bool counting = [] {
    if (pthread_atfork(nullptr, nullptr, [] { ++g_forks; }) != 0) {
      throw std::bad_alloc();
    }
    return true;
  }();
  (void)counting;
#endif
  forks_ = g_forks;
}

bool ProcessMark::IsHere() const { return forks_ == g_forks; }

}  // namespace bnq
