#include "core/kernels/depthwise.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/guarded.h"
#include "tests/support/targets.h"

namespace bnq {
namespace {

// Of the numbers whose products are greatest, and others. Each array ends where
// memory does.
void Compare(size_t pixels, size_t taps, size_t channels) {
  const auto number = [](size_t i) {
    return static_cast<uint32_t>(i * 2654435761u) >> 11;
  };
  const size_t step = channels + 3, size = (pixels - 1) * step + channels;
  std::vector<std::unique_ptr<bnq_test::Guarded>> memory;
  std::vector<const int8_t*> places;
  for (size_t t = 0; t < taps; ++t) {
    memory.push_back(std::make_unique<bnq_test::Guarded>(size));
    for (size_t i = 0; i < size; ++i) {
      const uint32_t v = number(t * 1031 + i);
      memory[t]->data()[i] = static_cast<uint8_t>(v % 4 != 0 ? v / 4 : 128);
    }
    places.push_back(reinterpret_cast<const int8_t*>(memory[t]->data()));
  }
  const bnq_test::Guarded weights(2 * taps * channels, 2);
  int16_t* const w = reinterpret_cast<int16_t*>(weights.data());
  for (size_t i = 0; i < taps * channels; ++i) {
    const uint32_t v = number(i + 7);
    w[i] = static_cast<int16_t>(v % 4 == 0   ? 255
                                : v % 4 == 1 ? -255
                                             : static_cast<int>(v % 511) - 255);
  }
  const bnq_test::Guarded initial(4 * channels, 4);
  int32_t* const first = reinterpret_cast<int32_t*>(initial.data());
  for (size_t c = 0; c < channels; ++c) {
    first[c] = static_cast<int32_t>(number(c)) - 1000000;
  }
  const bnq_test::Guarded sums(4 * pixels * channels, 4);
  DepthwiseArgs args;
  args.taps = places.data();
  args.num_taps = taps;
  args.pixels = pixels;
  args.step = step;
  args.channels = channels;
  args.weights = w;
  args.initial = first;
  args.sums = reinterpret_cast<int32_t*>(sums.data());
  DepthwiseSums(args);
  for (size_t p = 0; p < pixels; ++p) {
    for (size_t c = 0; c < channels; ++c) {
      int64_t sum = first[c];
      for (size_t t = 0; t < taps; ++t) {
        const int64_t x = places[t][p * step + c];
        sum += x * w[(t / 2 * channels + c) * 2 + t % 2];
      }
      ASSERT_EQ(args.sums[p * channels + c], sum)
          << pixels << ", " << taps << ", " << channels;
    }
  }
}

TEST(Depthwise, SumsAreExactAndOfTheirChannelsAlone) {
  bnq_test::ForEachTarget([] {
    for (const size_t channels : {1, 3, 4, 7, 8, 15, 16, 17, 31, 40, 64}) {
      Compare(6, 10, channels);
      Compare(1, 2, channels);
    }
  });
}

}  // namespace
}  // namespace bnq
