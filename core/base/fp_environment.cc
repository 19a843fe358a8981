#include "core/base/fp_environment.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

// Out of line, so that no arithmetic of the caller's is moved across a change.

namespace bnq {
namespace {

// All of this is SSE, or on AArch64 NEON, so the x87 unit of x86 is left alone.
#if defined(__SSE2__) || defined(_M_X64)
FpState Read() { return {_mm_getcsr()}; }
void Write(const FpState& state) { _mm_setcsr(state.mxcsr); }
// As at reset: every trap masked.
void WriteOwn() { _mm_setcsr(0x1F80); }
#elif defined(__aarch64__)
FpState Read() {
  FpState state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state.fpcr));
  __asm__ volatile("mrs %0, fpsr" : "=r"(state.fpsr));
  return state;
}
void Write(const FpState& state) {
  __asm__ volatile("msr fpcr, %0" : : "r"(state.fpcr));
  __asm__ volatile("msr fpsr, %0" : : "r"(state.fpsr));
}
void WriteOwn() { Write({0, 0}); }
#else
FpState Read() {
  FpState state;
  std::fegetenv(&state.fenv);
  return state;
}
void Write(const FpState& state) { std::fesetenv(&state.fenv); }
void WriteOwn() { std::fesetenv(FE_DFL_ENV); }
#endif

// The innermost one of this thread.
thread_local FpEnvironment* g_inside = nullptr;

}  // namespace

FpEnvironment::FpEnvironment() noexcept : caller_(Read()), outer_(g_inside) {
  WriteOwn();
  g_inside = this;
}

FpEnvironment::~FpEnvironment() {
  g_inside = outer_;
  Write(caller_);
}

// Within the callback nothing is inside: should it throw or call the library,
// each scope finds what is its own.
CallerFpEnvironment::CallerFpEnvironment() noexcept : inside_(g_inside) {
  if (inside_ == nullptr) return;
  g_inside = nullptr;
  Write(inside_->caller_);
}

CallerFpEnvironment::~CallerFpEnvironment() {
  if (inside_ == nullptr) return;
  inside_->caller_ = Read();
  WriteOwn();
  g_inside = inside_;
}

}  // namespace bnq
