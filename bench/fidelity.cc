// What quantization loses and what it costs: relative MSE and real bits per
// weight of every format, option and packing of the registry, as Markdown.
//
//   bnq_fidelity [--svg PICTURE.svg] [MODEL.safetensors] > FIDELITY.md
//
// Uses the C ABI alone, and no function whose result may differ from machine to
// machine, so the output is the same everywhere. The claims that it makes are
// checked: it exits with 1, and says why on stderr, where one does not hold.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/fidelity_configs.h"
#include "bench/fidelity_ggml.h"
#include "bench/fidelity_picture.h"
#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {
namespace {

struct Table {
  std::string title;
  Strings configs;  // canonical texts
  Strings labels;   // shown in place of the texts; empty for none
};

// The table of those configs that the library supports.
Table MakeTable(Study& study, std::string title, const Strings& texts) {
  Table table{std::move(title), {}, {}};
  for (const std::string& text : texts) {
    const std::string canonical = ToText(Parse(text).get());
    if (study.Measure(canonical).empty()) continue;
    if (std::find(table.configs.begin(), table.configs.end(), canonical) ==
        table.configs.end()) {
      table.configs.push_back(canonical);
    }
  }
  return table;
}

// The tables of one format with scales.
std::vector<Table> FormatTables(Study& study, int32_t format) {
  const Strings name = {std::string("format=") + bnq_format_name(format)};
  const Strings channel = {"granularity=channel"};
  std::vector<Table> tables;
  const auto add = [&](const char* title, std::vector<Strings> lists) {
    lists.insert(lists.begin(), name);
    Table table = MakeTable(study, title, Product(lists));
    if (table.configs.size() > 1) tables.push_back(std::move(table));
  };
  add("Granularity and scheme", {Granularities(),
                                 Values(BNQ_OPT_SCHEME),
                                 {"scale_rule=default", "scale_rule=mse"}});
  add("Scale rules", {channel, Values(BNQ_OPT_SYMMETRIC_RANGE), Rules()});
  add("Storage of scales and codes",
      {{"scale_rule=mse"},
       {"group_size=128", "group_size=32"},
       Values(BNQ_OPT_PACKING),
       Product({Values(BNQ_OPT_SCALE_DTYPE), Values(BNQ_OPT_DOUBLE_QUANT)})});
  // Rounding, and whatever else the library comes to have: each option whose
  // values have names and that is not above. (What non_finite does, finite data
  // does not show.)
  const int32_t shown[] = {
      BNQ_OPT_FORMAT,       BNQ_OPT_GRANULARITY, BNQ_OPT_SCHEME,
      BNQ_OPT_SCALE_RULE,   BNQ_OPT_SCALE_DTYPE, BNQ_OPT_SYMMETRIC_RANGE,
      BNQ_OPT_DOUBLE_QUANT, BNQ_OPT_PACKING,     BNQ_OPT_NON_FINITE};
  for (uint32_t i = 0; i < bnq_option_count(BNQ_OPTIONS_CONFIG); ++i) {
    int32_t option = 0;
    Check(bnq_option_at(BNQ_OPTIONS_CONFIG, i, &option));
    if (std::count(std::begin(shown), std::end(shown), option)) continue;
    std::string title = bnq_option_name(BNQ_OPTIONS_CONFIG, option);
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
    add(title.c_str(), {channel, Values(option)});
  }
  return tables;
}

Table Presets(Study& study) {
  Table table{"", {}, {}};
  for (uint32_t i = 0; i < bnq_preset_count(); ++i) {
    const std::string text = ToText(Parse(bnq_preset_name(i)).get());
    if (study.Measure(text).empty()) {
      std::fprintf(stderr, "%s\n", bnq_last_error());
      std::exit(1);
    }
    table.configs.push_back(text);
    table.labels.push_back(bnq_preset_name(i));
  }
  return table;
}

// Of all that was measured, what on the first data set is better by 1 % than
// everything of as few bits.
Table Frontier(const Study& study) {
  std::vector<std::pair<Cell, std::string>> all;
  for (const auto& row : study.Rows()) {
    if (!row.second.empty()) all.emplace_back(row.second[0], row.first);
  }
  // Of equal ones the shortest text.
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    const auto key = [](const auto& e) {
      return std::make_tuple(e.first.bits, e.first.error, e.second.size());
    };
    return key(a) < key(b);
  });
  Table table{"", {}, {}};
  double least = HUGE_VAL;
  for (const auto& entry : all) {
    if (entry.first.error > 0.99 * least) continue;
    least = entry.first.error;
    table.configs.push_back(entry.second);
  }
  return table;
}

// ---------------------------------------------------------------------------
// Claims

double Decibel(double error) { return -10 * std::log10(error); }

class Claims {
 public:
  bool Hold() const { return failures_ == 0; }
  void Expect(bool holds, const std::string& what) {
    if (holds) return;
    ++failures_;
    std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  }

 private:
  int failures_ = 0;
};

// How the search compares with absmax over the rows of a format.
struct Search {
  int rows = 0;
  double least = HUGE_VAL, greatest = 0;  // absmax's error over the search's
};

// Rows of scale_rule=mse beside the same config with the rules it starts from:
// never worse, and for int4 better.
Search CheckSearch(Study& study, const std::string& text, Claims& claims) {
  Search result;
  if (Get(text, BNQ_OPT_SCALE_RULE) != BNQ_SCALE_RULE_MSE) return result;
  const bool better = Get(text, BNQ_OPT_FORMAT) == BNQ_FORMAT_INT4;
  const Row& searched = study.Measure(text);
  result.rows = 1;
  for (const char* rule : {"default", "absmax"}) {
    const std::string other = With(text, "scale_rule", rule);
    const Row& start = study.Measure(other);
    for (size_t s = 0; s < searched.size(); ++s) {
      const double ratio = start[s].error / searched[s].error;
      claims.Expect(
          start[s].bits == searched[s].bits &&
              (better ? ratio > 1 : ratio >= 1),
          text + (better ? " is better than " : " is not worse than ") + other +
              " on " + study.Sets()[s].name + ", at equal bits");
      result.least = std::min(result.least, ratio);
      result.greatest = std::max(result.greatest, ratio);
    }
  }
  return result;
}

// Least ratio of signal to noise of any row, in dB: far below what the worst
// rounding and the widest range leave, so that only a defect falls short.
double LeastDecibel(int32_t format) {
  const int64_t bits = Property(format, BNQ_FORMAT_CODE_BITS);
  // Where a percentile cuts off one in a hundred, 8-bit floats have a little
  // less than integers, which it leaves at 20.1 dB.
  const double least8 = Property(format, BNQ_FORMAT_INTEGER) != 0 ? 20 : 19;
  return bits >= 16 ? 50 : bits >= 8 ? least8 : -HUGE_VAL;
}

// ---------------------------------------------------------------------------
// Output

void PrintTable(Study& study, const Table& table) {
  const std::vector<DataSet>& sets = study.Sets();
  // A data set has a column of bits unless they are those of the one before.
  std::vector<bool> bits(sets.size(), true);
  for (size_t s = 1; s < sets.size(); ++s) {
    bits[s] = std::any_of(table.configs.begin(), table.configs.end(),
                          [&](const std::string& text) {
                            const Row& row = study.Measure(text);
                            return row[s].bits != row[s - 1].bits;
                          });
  }
  if (!table.title.empty()) std::printf("### %s\n\n", table.title.c_str());
  std::string rule = "|---|";
  std::printf("| %s |", table.labels.empty() ? "config" : "preset");
  for (size_t s = 0; s < sets.size(); ++s) {
    if (bits[s]) std::printf(" bits |");
    std::printf(" %s |", sets[s].name.c_str());
    rule += bits[s] ? "--:|--:|" : "--:|";
  }
  std::printf("\n%s\n", rule.c_str());
  for (size_t i = 0; i < table.configs.size(); ++i) {
    const Row& row = study.Measure(table.configs[i]);
    const Strings& labels = table.labels.empty() ? table.configs : table.labels;
    std::printf("| `%s` |", labels[i].c_str());
    for (size_t s = 0; s < sets.size(); ++s) {
      if (bits[s]) std::printf(" %.3f |", row[s].bits);
      std::printf(" %#.3g |", row[s].error);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

void PrintIntroduction(const DataSet& model, const char* name) {
  std::printf(
      "# Fidelity\n\n"
      "What each format, option and packing loses, and the bits it takes. Made "
      "by `build/bnq_fidelity --svg bench/FIDELITY.svg > bench/FIDELITY.md`: "
      "change `fidelity.cc`, not this file. The numbers are the same on every "
      "machine, and the program "
      "fails where a claim of the text does not hold.\n\n"
      "- **config**: as `bnq_config_from_text` takes it. Options left out are "
      "at their defaults: groups of 128 columns, symmetric, absmax (ternary: "
      "absmean), scales in float32.\n"
      "- **bits**: of codes, scales, zero points and outliers, per weight.\n"
      "- Other columns: relative MSE, the sum of squared errors over the sum "
      "of squared weights. -10 log10 of it is the SQNR in dB.\n"
      "- **Gaussian**, **Laplace**: %d x %d weights of variance 1 from a "
      "counter-based generator.\n"
      "- **demo model**: the weight matrices of `%s`",
      static_cast<int>(kRows), static_cast<int>(kColumns), name);
  const char* separator = ": ";
  for (const Matrix& m : model.matrices) {
    for (uint64_t d : m.shape) {
      std::printf("%s%llu", separator, static_cast<unsigned long long>(d));
      separator = " x ";
    }
    separator = ", ";
  }
  std::printf(
      ". Their rows are short, so that their scales weigh more: they have bits "
      "of their own.\n\n");
}

// The text about the tables. What it says beyond its numbers is checked.
void PrintFindings(Study& study, Study& activations, const Search& int4,
                   Claims& claims) {
  const auto cell = [&](const char* text, size_t set = 0) {
    return study.Measure(text)[set];
  };
  const auto error = [&](const char* text) { return cell(text).error; };
  const auto decibel = [&](const char* text) { return Decibel(error(text)); };

  std::printf(
      "## What stands out\n\nOn Gaussian weights, unless said otherwise:\n\n");

  // 0.190 to three decimals: the bound itself is 0.1902.
  const double searched =
      error("format=ternary,granularity=tensor,scale_rule=mse");
  const double absmean = error("ternary");
  const double absmax =
      error("format=ternary,group_size=256,scale_rule=absmax,scale_dtype=f16");
  claims.Expect(searched < 0.1905, "ternary with scale_rule=mse reaches 0.190");
  claims.Expect(std::fabs(absmean - 0.263) < 0.001,
                "ternary absmean loses 0.263");
  claims.Expect(std::fabs(absmax - 0.651) < 0.002,
                "ternary by the rule of ggml's TQ2_0 loses 0.651");
  std::printf(
      "- **Ternary** has three known points: 0.263 for the absmean of BitNet "
      "(here %.3f), 0.651 for the rule of ggml's TQ2_0, absmax of 256 weights "
      "(here %.3f), and 0.190 for the best fixed threshold. `scale_rule=mse` "
      "reaches the last one with one scale for the whole tensor (%.4f; the "
      "optimum for the distribution, Lloyd and Max's three levels, is 0.1902), "
      "and betters it with one for 128 (%.4f) or 32 weights (%.4f). The preset "
      "`aggressive` has %.4f in %.3f bits.\n",
      absmean, absmax, searched, error("format=ternary,scale_rule=mse"),
      error("format=ternary,group_size=32,scale_rule=mse"), error("aggressive"),
      cell("aggressive").bits);

  claims.Expect(int4.rows > 0 && int4.least > 1,
                "int4 with scale_rule=mse beats absmax in every row");
  const char* groups = "format=int4,group_size=32,scale_dtype=f16";
  claims.Expect(decibel(groups) > 20, "int4 in groups of 32 has 20 dB");
  std::printf(
      "- **int4** with `scale_rule=mse` beats absmax at equal bits in all %d "
      "rows that have it, on every data set, by a factor of %.2f to %.2f. "
      "In no format is the search ever worse. In %.2f bits (groups of 32, "
      "float16 scales) absmax has %.1f "
      "dB, the search %.1f dB.\n",
      int4.rows, int4.least, int4.greatest, cell(groups).bits, decibel(groups),
      decibel("format=int4,group_size=32,scale_dtype=f16,scale_rule=mse"));

  claims.Expect(error("nf4") < error("format=int4,group_size=64") &&
                    error("format=int4,group_size=64") < error("fp4"),
                "of 4 bits with absmax nf4 is the best and fp4 the worst");
  claims.Expect(error("nf4_double_quant") < 1.01 * error("nf4"),
                "double quantization costs nf4 next to nothing");
  std::printf(
      "- **nf4** loses less than int4, and int4 less than fp4: %.4f, %.4f and "
      "%.4f with absmax of 64. Double quantization takes nf4 from %.2f to %.2f "
      "bits for next to nothing (%.4f), but costs int8 %.0f %% more error in "
      "groups of 32: an error of the scale that 4-bit codes hide shows behind "
      "8-bit ones.\n",
      error("nf4"), error("format=int4,group_size=64"), error("fp4"),
      cell("nf4").bits, cell("nf4_double_quant").bits,
      error("nf4_double_quant"),
      100 * (error("format=int8,group_size=32,double_quant=on") /
                 error("format=int8,group_size=32") -
             1));

  claims.Expect(decibel("int8_symmetric") > 30, "int8 has 30 dB");
  std::printf(
      "- **int8** has %.1f dB with one scale for the tensor and %.1f dB in "
      "groups of 128, **bf16** %.1f dB, **f16** %.1f dB.\n",
      decibel("int8_symmetric"), decibel("int8_per_group_128"), decibel("bf16"),
      decibel("f16"));

  const double nearest = error("int8_per_channel");
  for (const char* other : {"int8_per_channel,rounding=half_away",
                            "int8_per_channel,rounding=half_up"}) {
    claims.Expect(std::fabs(error(other) / nearest - 1) < 1e-3,
                  "it does not matter how halves are rounded");
  }
  std::printf(
      "- **Rounding** to the nearest is the same however halves go, which are "
      "rare. Stochastic rounding, which is unbiased, has %.1f times its error "
      "(int8), floor, ceil and toward_zero %.1f times.\n",
      error("int8_per_channel,rounding=stochastic") / nearest,
      error("int8_per_channel,rounding=floor") / nearest);

  const double kept = activations.Measure("int8_outliers")[0].error;
  const double coded = activations.Measure("int8_dynamic")[0].error;
  claims.Expect(kept * 10 < coded,
                "keeping outliers of activations takes away most of the error");
  std::printf(
      "- **Outliers** are for activations: where few features are 20 times the "
      "others, keeping them in 16 bits makes int8's error %.0f times smaller "
      "(last table). On weights with long tails the threshold keeps far too "
      "many columns: `int8_outliers` takes %.1f bits on Laplace weights.\n\n",
      coded / kept, cell("int8_outliers", 1).bits);
}

// Checks every row of the tables; the result is about those of int4.
Search CheckRows(Study& study, const std::vector<const Table*>& tables,
                 Claims& claims) {
  Strings configs;
  for (const Table* table : tables) {
    configs.insert(configs.end(), table->configs.begin(), table->configs.end());
  }
  std::sort(configs.begin(), configs.end());
  configs.erase(std::unique(configs.begin(), configs.end()), configs.end());
  Search int4;
  for (const std::string& text : configs) {
    const int32_t format = static_cast<int32_t>(Get(text, BNQ_OPT_FORMAT));
    const Search search = CheckSearch(study, text, claims);
    if (format == BNQ_FORMAT_INT4) {
      int4.rows += search.rows;
      int4.least = std::min(int4.least, search.least);
      int4.greatest = std::max(int4.greatest, search.greatest);
    }
    const Row& row = study.Measure(text);
    for (size_t s = 0; s < row.size(); ++s) {
      claims.Expect(Decibel(row[s].error) >= LeastDecibel(format),
                    text + " keeps a credible SQNR on " + study.Sets()[s].name);
    }
  }
  return int4;
}

// The demo model's first weights as ggml can take them: rows of kColumns.
DataSet EndToEnd(const DataSet& model) {
  std::vector<float> x;
  for (const Matrix& m : model.matrices) {
    const size_t n = static_cast<size_t>(m.Elements()), at = x.size();
    x.resize(at + n);
    std::memcpy(&x[at], m.data, 4 * n);
  }
  x.resize(x.size() / kColumns * kColumns);
  return Generated("demo model, end to end", std::move(x));
}

// At every size a lower error in as few bits or fewer, on every data set.
void PrintBesideGgml(Study& study, Claims& claims) {
  std::printf(
      "## Beside ggml\n\n"
      "ggml's formats by falling size, and a preset in as few bits or fewer; "
      "without calibration data on either side. ggml was measured once, on the "
      "same weights (`fidelity_ggml.h` says how); the demo model's two hidden "
      "matrices lie end to end here, in rows of %d, and their codebooks count. "
      "Less is better: the last columns are our error over ggml's.\n\n"
      "![Error over bits](FIDELITY.svg)\n\n"
      "| ggml | bits | preset | bits | Gaussian | ratio | Laplace | ratio | "
      "bits | demo model | ratio |\n"
      "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
      static_cast<int>(kColumns));
  for (const Peer& peer : kPeers) {
    const Row& row = study.Measure(peer.preset);
    std::printf("| %s | %.4g | `%s` |", peer.name, peer.bits, peer.preset);
    for (size_t s = 0; s < row.size(); ++s) {
      const double ratio = row[s].error / peer.errors[s];
      claims.Expect(row[s].bits <= peer.bits && ratio < 1,
                    std::string(peer.preset) + " beats " + peer.name + " on " +
                        study.Sets()[s].name);
      if (s != 1) std::printf(" %.3f |", row[s].bits);
      std::printf(" %#.3g | %.2f |", row[s].error, ratio);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

// Error over bits on Gaussian weights.
void Draw(Study& study, const Table& frontier, std::FILE* file) {
  constexpr const char *kOurs = "#1f6fb2", *kPreset = "#0b3c66",
                       *kTheirs = "#c2521b";
  Picture picture(file);
  std::vector<Cell> curve;
  for (const std::string& text : frontier.configs) {
    const Cell cell = study.Measure(text)[0];
    if (cell.bits <= 9) curve.push_back(cell);
  }
  picture.Curve(curve, kOurs);
  for (const Peer& peer : kPeers) {
    picture.Dot(study.Measure(peer.preset)[0], kPreset);
    picture.Peer(peer.name, {peer.bits, peer.errors[0]}, kTheirs);
  }
  for (const PeerPoint& peer : kOtherPeers) {
    picture.Peer(peer.name, {peer.bits, peer.error}, kTheirs);
  }
  picture.Legend(0, "the best of ours for its bits", kOurs);
  picture.Legend(1, "presets of the table", kPreset);
  picture.Legend(2, "ggml", kTheirs);
}

int Main(const char* path, const char* name, const char* svg) {
  bnq_context* context = nullptr;
  Check(bnq_context_create(nullptr, &context));
  const Handle<bnq_context> context_owner(context);
  Check(bnq_context_set_threads(context, 0));
  bnq_file* file = nullptr;
  Check(bnq_file_open(context, path, 0, &file));
  const Handle<bnq_file> file_owner(file);

  std::vector<DataSet> sets;
  sets.push_back(Generated("Gaussian", Gaussian(kRows * kColumns)));
  sets.push_back(Generated("Laplace", Laplace(kRows * kColumns)));
  sets.push_back(Weights(file));
  Study study(context, std::move(sets));
  sets.clear();
  sets.push_back(Activations());
  Study activations(context, std::move(sets));
  sets.clear();
  sets.push_back(Generated("Gaussian", Gaussian(kRows * kColumns)));
  sets.push_back(Generated("Laplace", Laplace(kRows * kColumns)));
  sets.push_back(EndToEnd(study.Sets().back()));
  Study beside(context, std::move(sets));

  // Everything is measured first, so that the text can stand above the tables.
  std::vector<std::pair<std::string, std::vector<Table>>> sections;
  Strings unscaled, outliers;
  for (uint32_t i = 0; i < bnq_format_count(); ++i) {
    int32_t format = 0;
    Check(bnq_format_at(i, &format));
    const std::string text = std::string("format=") + bnq_format_name(format);
    if (Property(format, BNQ_FORMAT_SCALED)) {
      sections.emplace_back(bnq_format_name(format),
                            FormatTables(study, format));
    } else {
      unscaled.push_back(text);
    }
    if (Property(format, BNQ_FORMAT_INTEGER)) {
      for (const std::string& config :
           Product({{text + ",granularity=token"},
                    Values(BNQ_OPT_SCHEME),
                    {"outlier_threshold=0", "outlier_threshold=6"}})) {
        outliers.push_back(config);
      }
    }
  }
  sections.emplace_back("Without scales",
                        std::vector<Table>{MakeTable(study, "", unscaled)});
  const Table presets = Presets(study);
  std::vector<const Table*> tables = {&presets};
  for (const auto& section : sections) {
    for (const Table& table : section.second) tables.push_back(&table);
  }

  Claims claims;
  const Search int4 = CheckRows(study, tables, claims);
  const Table frontier = Frontier(study);
  PrintIntroduction(study.Sets().back(), name);
  PrintFindings(study, activations, int4, claims);
  PrintBesideGgml(beside, claims);
  if (svg != nullptr) {
    std::FILE* const picture = std::fopen(svg, "w");
    if (picture == nullptr) {
      std::perror(svg);
      return 1;
    }
    Draw(study, frontier, picture);
    if (std::fclose(picture) != 0) {
      std::perror(svg);
      return 1;
    }
  }
  std::printf(
      "## The best for their bits\n\n"
      "Of all that was measured, what on Gaussian weights is better by 1 %% "
      "than everything of as few bits.\n\n");
  PrintTable(study, frontier);
  std::printf("## Presets\n\n");
  PrintTable(study, presets);
  for (const auto& section : sections) {
    std::printf("## %s\n\n", section.first.c_str());
    for (const Table& table : section.second) PrintTable(study, table);
  }
  std::printf(
      "## Outliers\n\n"
      "Of activations rather than weights: 512 tokens of %d Gaussian features, "
      "every 170th of which is 20 times as great.\n\n",
      static_cast<int>(kColumns));
  PrintTable(activations, MakeTable(activations, "", outliers));
  if (std::fflush(stdout) != 0) {
    std::perror("bnq_fidelity: standard output");
    return 1;
  }
  return claims.Hold() ? 0 : 1;
}

}  // namespace
}  // namespace bnq_bench

int main(int argc, char** argv) {
  const char *svg = nullptr, *model = nullptr;
  for (int i = 1; i < argc; ++i) {
    const bool is_svg = std::strcmp(argv[i], "--svg") == 0;
    if (is_svg ? svg != nullptr || i + 1 == argc : model != nullptr) {
      std::fprintf(stderr,
                   "usage: bnq_fidelity [--svg PICTURE.svg] "
                   "[MODEL.safetensors]\n");
      return 2;
    }
    if (is_svg) {
      svg = argv[++i];
    } else {
      model = argv[i];
    }
  }
  return model != nullptr
             ? bnq_bench::Main(model, model, svg)
             : bnq_bench::Main(BNQ_DEMO_MODEL,
                               "tests/models/digits.safetensors", svg);
}
