// The serialized calibrator; README.md has the layout.
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/calibration/calibrator.h"
#include "core/io/endian.h"
#include "zlib.h"

namespace bnq {
namespace {

constexpr char kMagic[4] = {'B', 'N', 'Q', 'C'};
constexpr uint16_t kMajor = 1;
constexpr uint16_t kUniform = 0, kFine = 1;  // minor versions

uint32_t Crc32(const uint8_t* data, uint64_t size) {
  uLong crc = crc32(0, nullptr, 0);
  while (size != 0) {
    const uInt n = static_cast<uInt>(std::min<uint64_t>(size, 1u << 30));
    crc = crc32(crc, data, n);
    data += n;
    size -= n;
  }
  return static_cast<uint32_t>(crc);
}

uint32_t BitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Seven bits to a byte, the least first; the top bit says that more follow.
void AppendVarint(uint64_t v, std::string* out) {
  for (; v >= 0x80; v >>= 7) out->push_back(static_cast<char>(v | 0x80));
  out->push_back(static_cast<char>(v));
}

// The limbs but for those that only repeat the sign.
void AppendSum(const ExactSum& sum, std::string* out) {
  const uint64_t sign = sum.limb(ExactSum::kLimbs - 1) >> 63 ? UINT64_MAX : 0;
  int end = ExactSum::kLimbs, begin = 0;
  // The last one kept has the sign in its top bit.
  while (
      end > 0 && sum.limb(end - 1) == sign &&
      (end == 1 ? sign == 0 : (sum.limb(end - 2) >> 63 != 0) == (sign != 0))) {
    --end;
  }
  while (begin < end && sum.limb(begin) == 0) ++begin;
  if (begin == end) begin = end = 0;
  out->push_back(static_cast<char>(begin));
  out->push_back(static_cast<char>(end - begin));
  for (int i = begin; i < end; ++i) AppendLE<uint64_t>(sum.limb(i), out);
}

}  // namespace

// Reads fields that must be there.
class Calibrator::Parser {
 public:
  Parser(const uint8_t* data, uint64_t size) : next_(data), left_(size) {}

  [[noreturn]] static void Corrupt(const char* what) {
    Fail(Status::kCorruptFile, "serialized calibrator: ", what);
  }
  uint64_t left() const { return left_; }
  const uint8_t* Take(uint64_t bytes) {
    if (bytes > left_) Corrupt("it ends too early");
    const uint8_t* p = next_;
    next_ += bytes;
    left_ -= bytes;
    return p;
  }
  template <class UInt>
  UInt Fixed() {
    return LoadLE<UInt>(Take(sizeof(UInt)));
  }
  float Float() {
    const uint32_t bits = Fixed<uint32_t>();
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (!std::isfinite(x) || bits == 0x80000000u) {
      Corrupt("a bound is not finite, or -0");
    }
    return x;
  }
  uint64_t Varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = *Take(1);
      if (shift == 63 && byte > 1) break;
      v |= (byte & 0x7F) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift != 0) break;
        return v;
      }
    }
    Corrupt("a number is not in its shortest form");
  }
  ExactSum Sum() {
    const int begin = *Take(1), count = *Take(1);
    ExactSum sum;
    if (begin + count > ExactSum::kLimbs) Corrupt("a sum is too long");
    uint64_t last = 0;
    for (int i = 0; i < count; ++i) {
      last = Fixed<uint64_t>();
      sum.set_limb(begin + i, last);
    }
    if (last >> 63 != 0) {
      for (int i = begin + count; i < ExactSum::kLimbs; ++i) {
        sum.set_limb(i, UINT64_MAX);
      }
    }
    std::string again;
    AppendSum(sum, &again);
    if (static_cast<uint8_t>(again[0]) != begin ||
        static_cast<uint8_t>(again[1]) != count) {
      Corrupt("a sum is not in its shortest form");
    }
    return sum;
  }

 private:
  const uint8_t* next_;
  uint64_t left_;
};

void Calibrator::ParseOptions(Parser* parser) {
  const uint32_t count = parser->Fixed<uint32_t>();
  int32_t last = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t key = static_cast<int32_t>(parser->Fixed<uint32_t>());
    const uint32_t kind = parser->Fixed<uint32_t>();
    const uint64_t bits = parser->Fixed<uint64_t>();
    if (key <= last || kind > 1) {
      Parser::Corrupt("its options are not in order, or of no known type");
    }
    last = key;
    const OptionInfo* info = CalibrationOptions::Table().Find(key);
    if (info == nullptr) {
      Fail(Status::kUnsupported, "serialized calibrator: option ", key,
           " is not known to this library");
    }
    if (info->is_float != (kind == 1)) {
      Parser::Corrupt("an option is of the wrong type");
    }
    try {
      if (kind == 1) {
        double value;
        std::memcpy(&value, &bits, sizeof value);
        SetFloat(key, value);
      } else {
        SetInt(key, static_cast<int64_t>(bits));
      }
    } catch (const Error& error) {
      if (error.status() != Status::kInvalidArgument) throw;
      Parser::Corrupt(error.message().c_str());
    }
  }
}

std::string Calibrator::Serialize(const Context& context) const {
  CheckUsable();
  std::string out(kMagic, sizeof kMagic);
  AppendLE<uint16_t>(kMajor, &out);
  AppendLE<uint16_t>(fine_ ? kFine : kUniform, &out);
  AppendLE<uint32_t>(kNumCalibrationOptions, &out);
  for (const OptionInfo& info : CalibrationOptions::Table()) {
    const double value = options_.Number(info);
    uint64_t bits = static_cast<uint64_t>(static_cast<int64_t>(value));
    if (info.is_float) std::memcpy(&bits, &value, sizeof bits);
    AppendLE<uint32_t>(static_cast<uint32_t>(info.id), &out);
    AppendLE<uint32_t>(info.is_float ? 1 : 0, &out);
    AppendLE<uint64_t>(bits, &out);
  }
  AppendVarint(batches_, &out);
  AppendVarint(channels_.size(), &out);
  for (const Channel& channel : channels_) {
    context.Tick();
    AppendChannel(channel, &out);
  }
  AppendLE<uint32_t>(
      Crc32(reinterpret_cast<const uint8_t*>(out.data()), out.size()), &out);
  return out;
}

void Calibrator::AppendChannel(const Channel& channel, std::string* out) const {
  const ChannelStats& stats = channel.stats;
  AppendVarint(stats.non_finite, out);
  AppendVarint(stats.count, out);
  if (stats.count == 0) return;
  AppendVarint(stats.zeros, out);
  AppendLE<uint32_t>(BitsOf(stats.min), out);
  AppendLE<uint32_t>(BitsOf(stats.max), out);
  for (const ExactSum& sum : stats.sums) AppendSum(sum, out);
  if (MethodOf(options_.method()).follow != nullptr) {
    AppendLE<uint32_t>(BitsOf(channel.followed.lo), out);
    AppendLE<uint32_t>(BitsOf(channel.followed.hi), out);
  }
  if (!options_.keeps_histogram()) return;
  const BinCounts& histogram = channel.histogram;
  const BinWindow& window = histogram.window();
  const std::vector<uint64_t> counts = histogram.Uniform();
  const int64_t lo = BinOf(stats.min, window.exponent);
  const int64_t hi = BinOf(stats.max, window.exponent);
  for (int64_t k = lo; k <= hi; ++k) {
    AppendVarint(counts[static_cast<size_t>(k - window.base)], out);
  }
  if (!fine_) return;
  const int32_t keys = histogram.used_keys();
  AppendVarint(static_cast<uint64_t>(keys), out);
  const uint64_t* const fine = histogram.fine_counts(keys);
  for (int32_t i = 0; i < 2 * keys; ++i) AppendVarint(fine[i], out);
}

std::unique_ptr<Calibrator> Calibrator::Deserialize(const Context& context,
                                                    const uint8_t* data,
                                                    uint64_t size) {
  Parser parser(data, size);
  if (std::memcmp(parser.Take(sizeof kMagic), kMagic, sizeof kMagic) != 0) {
    Parser::Corrupt("it does not begin with BNQC");
  }
  const uint16_t major = parser.Fixed<uint16_t>();
  if (major != kMajor) {
    Fail(Status::kUnsupported, "serialized calibrator: major version ", major,
         " is not known to this library, which reads ", kMajor);
  }
  const uint16_t minor = parser.Fixed<uint16_t>();
  if (parser.left() < sizeof(uint32_t)) Parser::Corrupt("it ends too early");
  const uint64_t end = size - sizeof(uint32_t);
  if (LoadLE<uint32_t>(data + end) != Crc32(data, end)) {
    Parser::Corrupt("its contents do not have the checksum it states");
  }
  if (minor > kFine) {
    Fail(Status::kUnsupported, "serialized calibrator: version ", major, ".",
         minor, " is not known to this library, which reads up to ", kMajor,
         ".", kFine);
  }
  parser = Parser(data + 8, end - 8);
  auto calibrator = std::make_unique<Calibrator>();
  calibrator->ParseOptions(&parser);
  const CalibrationOptions& options = calibrator->options_;
  calibrator->batches_ = parser.Varint();
  const uint64_t channels = parser.Varint();
  // Each takes two bytes at least.
  if (channels > parser.left() / 2) Parser::Corrupt("it has too many channels");
  if ((channels != 0) != (calibrator->batches_ != 0) ||
      (channels > 1 && !options.per_channel())) {
    Parser::Corrupt("its channels contradict its batches or options");
  }
  calibrator->fine_ = minor == kFine;
  if (calibrator->fine_ && (channels == 0 || !options.keeps_histogram())) {
    Parser::Corrupt("it has no histogram that could have fine bins");
  }
  calibrator->channels_ = calibrator->MakeChannels(channels);
  for (Channel& channel : calibrator->channels_) {
    calibrator->ParseChannel(context, &parser, &channel);
  }
  if (parser.left() != 0) Parser::Corrupt("there is more behind its end");
  return calibrator;
}

void Calibrator::ParseChannel(const Context& context, Parser* parser,
                              Channel* channel) {
  ChannelStats& stats = channel->stats;
  stats.non_finite = parser->Varint();
  stats.count = parser->Varint();
  if (stats.count == 0) {
    if (stats.non_finite == 0) Parser::Corrupt("a channel has no elements");
    return;
  }
  stats.zeros = parser->Varint();
  stats.min = parser->Float();
  stats.max = parser->Float();
  if (stats.zeros > stats.count || stats.min > stats.max ||
      (stats.zeros != 0 && (stats.min > 0 || stats.max < 0))) {
    Parser::Corrupt("a channel's statistics contradict each other");
  }
  for (ExactSum& sum : stats.sums) sum = parser->Sum();
  if (MethodOf(options_.method()).follow != nullptr) {
    channel->followed.lo = parser->Float();
    channel->followed.hi = parser->Float();
    if (channel->followed.lo > channel->followed.hi) {
      Parser::Corrupt("a channel's range is empty");
    }
  }
  if (options_.keeps_histogram()) ParseHistogram(context, parser, channel);
}

void Calibrator::ParseHistogram(const Context& context, Parser* parser,
                                Channel* channel) {
  const ChannelStats& stats = channel->stats;
  const auto counts = [&](uint64_t size) {
    if (size > parser->left()) Parser::Corrupt("it ends too early");
    std::vector<uint64_t> list(static_cast<size_t>(size));
    uint64_t total = 0;
    for (uint64_t& count : list) {
      count = parser->Varint();
      if (count > stats.count - total) {
        Parser::Corrupt("a histogram has more values than its channel");
      }
      total += count;
    }
    return list;
  };
  const int32_t exponent =
      ExponentFor(stats.min, stats.max, options_.capacity());
  const std::vector<uint64_t> uniform = counts(static_cast<uint64_t>(
      int64_t{BinOf(stats.max, exponent)} - BinOf(stats.min, exponent) + 1));
  uint64_t total = 0;
  for (uint64_t count : uniform) total += count;
  std::vector<uint64_t> fine;
  uint64_t keys = 0;
  if (fine_) {
    keys = parser->Varint();
    if (keys > static_cast<uint64_t>(BinCounts::MaxKeys(exponent))) {
      Parser::Corrupt("it has too many fine bins");
    }
    fine = counts(2 * keys);
  }
  if (total != stats.count ||
      !channel->histogram.Restore(context, stats.min, stats.max, stats.zeros,
                                  uniform, static_cast<int32_t>(keys), fine,
                                  options_.capacity())) {
    Parser::Corrupt("a histogram is not that of its channel's values");
  }
}

}  // namespace bnq
