// What handles with options have in common: the C ABI's functions on options
// see a handle as a bnq_options. The kinds are listed in options.cc.
#ifndef BNQ_CAPI_OPTIONS_H_
#define BNQ_CAPI_OPTIONS_H_

#include <cstdint>
#include <string>

#include "bnq/bnq.h"
#include "core/base/options.h"

// What bnq_options_* need of a handle. Errors are OptionTable's.
struct bnq_options {
  virtual ~bnq_options() = default;

  virtual int32_t kind() const = 0;
  virtual void SetInt(int32_t option, int64_t value) = 0;
  virtual void SetFloat(int32_t option, double value) = 0;
  virtual void SetText(const std::string& option, const std::string& value) = 0;
  virtual int64_t GetInt(int32_t option) const = 0;
  virtual double GetFloat(int32_t option) const = 0;
  virtual std::string GetText(const std::string& option) const = 0;
};

namespace bnq {
namespace capi {

// The base of a handle of a kind (BNQ_OPTIONS_*). Its `settings()` is what
// setters change, its `options()` the OptionValues that getters read.
template <class Handle, int32_t kKind>
struct WithOptions : bnq_options {
  int32_t kind() const override { return kKind; }
  void SetInt(int32_t option, int64_t value) override {
    self().settings().SetInt(option, value);
  }
  void SetFloat(int32_t option, double value) override {
    self().settings().SetFloat(option, value);
  }
  void SetText(const std::string& option, const std::string& value) override {
    self().settings().SetText(option, value);
  }
  int64_t GetInt(int32_t option) const override {
    return self().options().GetInt(option);
  }
  double GetFloat(int32_t option) const override {
    return self().options().GetFloat(option);
  }
  std::string GetText(const std::string& option) const override {
    return self().options().GetText(option);
  }

 private:
  Handle& self() { return static_cast<Handle&>(*this); }
  const Handle& self() const { return static_cast<const Handle&>(*this); }
};

// The options of a kind; nullptr: no such kind.
const OptionTable* OptionsOfKind(int32_t kind);

}  // namespace capi
}  // namespace bnq

#endif  // BNQ_CAPI_OPTIONS_H_
