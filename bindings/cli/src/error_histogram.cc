#include "error_histogram.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "failure.h"
#include "file_values.h"
#include "table.h"
#include "text.h"

namespace bnq::cli {
namespace {

constexpr std::size_t kLines = 16;
constexpr double kBarColumns = 50;

}  // namespace

ErrorHistograms::ErrorHistograms(const std::string& original,
                                 const std::string& other, Session& session)
    : session_(session),
      original_(OpenFile(original, session)),
      other_(OpenFile(other, session)) {}

bool ErrorHistograms::Compare(const std::string& name, uint32_t bins,
                              ErrorHistogram& result) {
  uint64_t a = 0, b = 0;
  bnq_status status = bnq_file_find(original_.get(), name.c_str(), &a);
  // A matrix that only the other file's metadata tell of.
  if (status == BNQ_ERROR_NOT_FOUND) return false;
  Check(status);
  Check(bnq_file_find(other_.get(), name.c_str(), &b));
  FileValues original;
  ReadValues(original_.get(), a, session_, original);
  result.name = name;
  result.counts.assign(bins, 0);
  if (bnq_file_format(other_.get(), b) == BNQ_FORMAT_NONE) {
    FileValues other;
    ReadValues(other_.get(), b, session_, other);
    status = bnq_compare_histogram(session_.context(), &original.array,
                                   &other.array, bins, result.counts.data(),
                                   &result.max_error, &result.kl);
  } else {
    bnq_tensor* read = nullptr;
    Check(bnq_file_tensor(session_.context(), other_.get(), b, &read));
    const Tensor tensor(read);
    status = bnq_tensor_compare_histogram(session_.context(), &original.array,
                                          read, bins, result.counts.data(),
                                          &result.max_error, &result.kl);
  }
  // Integers are compared byte for byte, not as numbers.
  if (status == BNQ_ERROR_UNSUPPORTED) return false;
  Check(status);
  return true;
}

void PrintHistogram(const ErrorHistogram& histogram, std::ostream& out) {
  out << '\n'
      << Printable(histogram.name) << ": KL divergence "
      << GeneralText(histogram.kl, 4) << " nats, errors up to "
      << GeneralText(histogram.max_error, 4) << '\n';
  if (histogram.max_error == 0) return;
  const std::size_t bins = histogram.counts.size();
  const std::size_t lines = std::min(bins, kLines);
  std::vector<uint64_t> counts(lines, 0);
  for (std::size_t i = 0; i < bins; ++i) {
    counts[i * lines / bins] += histogram.counts[i];
  }
  const double greatest =
      static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  Table table({{"error from", Table::kRight},
               {"to", Table::kRight},
               {"values", Table::kRight},
               {"", Table::kLeft}});
  for (std::size_t line = 0; line < lines; ++line) {
    // The first bin of a line is the least i with i * lines / bins == line.
    const auto edge = [&](std::size_t l) {
      const std::size_t bin = (l * bins + lines - 1) / lines;
      return histogram.max_error *
             (2 * static_cast<double>(bin) / static_cast<double>(bins) - 1);
    };
    // A single value has a bar too.
    const double length =
        kBarColumns * static_cast<double>(counts[line]) / greatest;
    table.Add({GeneralText(edge(line), 3), GeneralText(edge(line + 1), 3),
               std::to_string(counts[line]),
               std::string(static_cast<std::size_t>(std::ceil(length)), '#')});
  }
  table.Print(out);
}

void AddHistograms(Json& object,
                   const std::vector<ErrorHistogram>& histograms) {
  Json array = Json::array();
  for (const ErrorHistogram& histogram : histograms) {
    array.push_back({{"name", histogram.name},
                     {"kl_divergence", JsonNumber(histogram.kl)},
                     {"max_error", JsonNumber(histogram.max_error)},
                     {"counts", histogram.counts}});
  }
  object["histograms"] = std::move(array);
}

}  // namespace bnq::cli
