#include "core/base/targets.h"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/base/error.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace bnq {
namespace {

// 0: none is forced.
std::atomic<int64_t> g_forced{0};

std::vector<int64_t> CompiledTargets() {
  std::vector<int64_t> list;
  for (int64_t rest = HWY_TARGETS; rest != 0; rest &= rest - 1) {
    list.push_back(rest & -rest);
  }
  return list;
}

int64_t SupportedByCpu() {
  // Static, so that it is read before any target is forced.
  static const int64_t supported = hwy::SupportedTargets();
  return supported;
}

bool Supported(int64_t target) {
  // The baseline runs wherever the library does.
  return target == HWY_STATIC_TARGET || (SupportedByCpu() & target) != 0;
}

}  // namespace

const std::vector<TargetInfo>& Targets() {
  static const std::vector<TargetInfo> list = [] {
    std::vector<TargetInfo> out;
    for (int64_t target : CompiledTargets()) {
      out.push_back({hwy::TargetName(target), Supported(target)});
    }
    return out;
  }();
  return list;
}

const char* ForcedTarget() {
  const int64_t forced = g_forced.load();
  return forced != 0 ? hwy::TargetName(forced) : nullptr;
}

const char* ActiveTarget() {
  if (const char* forced = ForcedTarget()) return forced;
  for (const TargetInfo& target : Targets()) {
    if (target.supported) return target.name;
  }
  return hwy::TargetName(HWY_STATIC_TARGET);
}

void ForceTarget(const char* name) {
  SupportedByCpu();
  int64_t mask = 0;
  if (name != nullptr) {
    std::string known;
    for (int64_t target : CompiledTargets()) {
      known += known.empty() ? "" : ", ";
      known += hwy::TargetName(target);
      if (std::strcmp(name, hwy::TargetName(target)) == 0) mask = target;
    }
    if (mask == 0) {
      Fail(Status::kNotFound, "target ", Quoted(name),
           " is not one of those compiled in: ", known);
    }
    if (!Supported(mask)) {
      Fail(Status::kUnsupported, "target ", name, " cannot run on this CPU");
    }
  }
  g_forced = mask;
  // Sources that leave the target out (BNQ_LEFT_OUT) take the next: better ones
  // have smaller numbers.
  const int64_t allowed =
      mask == 0 ? 0 : (SupportedByCpu() | HWY_STATIC_TARGET) & ~(mask - 1);
  hwy::SetSupportedTargetsForTest(allowed);
  hwy::GetChosenTarget().Update(allowed != 0 ? allowed
                                             : hwy::SupportedTargets());
}

}  // namespace bnq
