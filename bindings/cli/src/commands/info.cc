#include <iostream>
#include <memory>

#include "../commands.h"
#include "../failure.h"
#include "../handles.h"
#include "../json.h"
#include "../library_options.h"
#include "../table.h"

namespace bnq::cli {
namespace {

struct Format {
  int32_t id;
  std::string name, description;
  int64_t code_bits, min_code, max_code, min_group;
  bool asymmetric, integer, scaled;
};

Format FormatOf(int32_t id) {
  const auto property = [id](int32_t which) {
    int64_t value = 0;
    Check(bnq_format_property(id, which, &value));
    return value;
  };
  return {id,
          bnq_format_name(id),
          bnq_format_description(id),
          property(BNQ_FORMAT_CODE_BITS),
          property(BNQ_FORMAT_MIN_CODE),
          property(BNQ_FORMAT_MAX_CODE),
          property(BNQ_FORMAT_MIN_GROUP),
          property(BNQ_FORMAT_ASYMMETRIC) != 0,
          property(BNQ_FORMAT_INTEGER) != 0,
          property(BNQ_FORMAT_SCALED) != 0};
}

std::vector<Format> Formats() {
  std::vector<Format> all;
  for (uint32_t i = 0; i < bnq_format_count(); ++i) {
    int32_t id = 0;
    Check(bnq_format_at(i, &id));
    all.push_back(FormatOf(id));
  }
  return all;
}

// An option of configs as a format takes it.
struct Accepted {
  LibraryOption option;
  // Of its named values, those that the format takes.
  std::vector<std::string> values;
  // Of numbers, whether it takes others than the default.
  bool any_number = false;
  // Why it does not take the rest.
  std::vector<std::string> refusals;

  std::string Text() const {
    if (!option.values.empty()) return Joined(values, ", ");
    return any_number ? option.range : option.initial;
  }
};

std::vector<Accepted> AcceptedBy(int32_t format) {
  std::vector<Accepted> all;
  for (const LibraryOption& option : LibraryOptions(BNQ_OPTIONS_CONFIG)) {
    if (option.id == BNQ_OPT_FORMAT) continue;
    Accepted accepted;
    accepted.option = option;
    const auto takes = [&](const std::string& value) {
      const bnq_status status =
          bnq_format_supports(format, option.name.c_str(), value.c_str());
      if (status == BNQ_ERROR_UNSUPPORTED) {
        accepted.refusals.emplace_back(bnq_last_error());
        return false;
      }
      Check(status);
      return true;
    };
    for (const std::string& value : option.values) {
      if (takes(value)) accepted.values.push_back(value);
    }
    if (option.values.empty()) {
      accepted.any_number = takes(option.another);
    }
    all.push_back(std::move(accepted));
  }
  return all;
}

// The threads that --threads 0 stands for.
int32_t Processors() {
  bnq_context* created = nullptr;
  Check(bnq_context_create(nullptr, &created));
  const Context context(created);
  Check(bnq_context_set_threads(created, 0));
  return bnq_context_threads(created);
}

bool Active(const char* target) {
  return std::string(target) == bnq_target_active();
}

Json JsonOptions(int32_t kind) {
  Json array = Json::array();
  for (const LibraryOption& option : LibraryOptions(kind)) {
    array.push_back({{"name", option.name},
                     {"description", option.description},
                     {"values", option.values},
                     {"value_descriptions", option.meanings},
                     {"min", JsonNumber(option.min)},
                     {"max", JsonNumber(option.max)},
                     {"default", option.initial}});
  }
  return array;
}

Json JsonFormat(const Format& format) {
  Json object = {{"name", format.name},
                 {"description", format.description},
                 {"code_bits", format.code_bits},
                 {"min_code", format.min_code},
                 {"max_code", format.max_code},
                 {"min_group", format.min_group},
                 {"asymmetric", format.asymmetric},
                 {"integer", format.integer},
                 {"scaled", format.scaled}};
  Json refusals = Json::array();
  for (const Accepted& accepted : AcceptedBy(format.id)) {
    const LibraryOption& option = accepted.option;
    object["options"][option.name] = option.values.empty()
                                         ? Json(accepted.any_number)
                                         : Json(accepted.values);
    for (const std::string& why : accepted.refusals) refusals.push_back(why);
  }
  object["refusals"] = std::move(refusals);
  return object;
}

void PrintTextFormat(const Format& format) {
  std::cout << format.name << ": " << format.description << "\ncodes of "
            << format.code_bits
            << (format.code_bits == 1 ? " bit, " : " bits, ") << format.min_code
            << ".." << format.max_code << "\n\nOptions that go with it:\n";
  Table table({{"name", Table::kLeft}, {"values", Table::kLeft}});
  std::string refusals;
  for (const Accepted& accepted : AcceptedBy(format.id)) {
    table.Add({accepted.option.name, accepted.Text()});
    for (const std::string& why : accepted.refusals) refusals += why + '\n';
  }
  table.Print(std::cout);
  if (!refusals.empty()) std::cout << '\n' << refusals;
}

void PrintFormat(const std::string& name, bool json) {
  int32_t id = BNQ_FORMAT_NONE;
  CheckUsage(bnq_format_id(name.c_str(), &id), "FORMAT");
  if (id == BNQ_FORMAT_NONE) {
    throw Failure(kUsage, "FORMAT: none takes no options");
  }
  const Format format = FormatOf(id);
  json ? PrintJson(JsonFormat(format)) : PrintTextFormat(format);
}

template <class F>
void ForEachKind(F f) {
  for (uint32_t i = 0; i < bnq_option_kind_count(); ++i) {
    int32_t kind = 0;
    Check(bnq_option_kind_at(i, &kind));
    f(kind, std::string(bnq_option_kind_name(kind)));
  }
}

void PrintOptions(int32_t kind, const std::string& name) {
  std::cout << "\nOptions of a " << name << ":\n";
  Table table({{"name", Table::kLeft},
               {"default", Table::kLeft},
               {"values", Table::kLeft},
               {"description", Table::kLeft}});
  for (const LibraryOption& option : LibraryOptions(kind)) {
    table.Add({option.name, option.initial, option.range, option.description});
    for (std::size_t i = 0; i < option.values.size(); ++i) {
      table.Add({"", "", option.values[i], option.meanings[i]});
    }
  }
  table.Print(std::cout);
}

void PrintJsonInfo() {
  Json object = {{"version", bnq_version_string()},
                 {"abi_version", bnq_abi_version()},
                 {"threads", Processors()},
                 {"active_target", bnq_target_active()}};
  for (uint32_t i = 0; i < bnq_target_count(); ++i) {
    object["targets"].push_back({{"name", bnq_target_name(i)},
                                 {"supported", bnq_target_supported(i) != 0},
                                 {"active", Active(bnq_target_name(i))}});
  }
  for (const Format& format : Formats()) {
    object["formats"].push_back(JsonFormat(format));
  }
  ForEachKind([&](int32_t kind, const std::string& name) {
    object["options"][name] = JsonOptions(kind);
  });
  for (uint32_t i = 0; i < bnq_metric_count(); ++i) {
    object["metrics"].push_back(bnq_metric_name(i));
  }
  for (uint32_t i = 0; i < bnq_statistic_count(); ++i) {
    object["statistics"].push_back(bnq_statistic_name(i));
  }
  PrintJson(object);
}

void PrintTextInfo() {
  std::cout << VersionLine() << "\nthreads: " << Processors()
            << "\n\nSIMD targets, best first:\n";
  Table targets({{"name", Table::kLeft}, {"state", Table::kLeft}});
  for (uint32_t i = 0; i < bnq_target_count(); ++i) {
    const char* name = bnq_target_name(i);
    targets.Add({name, Active(name)              ? "active"
                       : bnq_target_supported(i) ? "supported"
                                                 : "not supported"});
  }
  targets.Print(std::cout);

  std::cout << "\nFormats:\n";
  Table table({{"name", Table::kLeft},
               {"code bits", Table::kRight},
               {"codes", Table::kRight},
               {"least group", Table::kRight},
               {"asymmetric", Table::kLeft},
               {"description", Table::kLeft}});
  for (const Format& format : Formats()) {
    table.Add({format.name, std::to_string(format.code_bits),
               std::to_string(format.min_code) + ".." +
                   std::to_string(format.max_code),
               std::to_string(format.min_group),
               format.asymmetric ? "yes" : "no", format.description});
  }
  table.Print(std::cout);

  ForEachKind(PrintOptions);
}

}  // namespace

std::string VersionLine() {
  return "bnq " + std::to_string(BNQ_VERSION_MAJOR) + "." +
         std::to_string(BNQ_VERSION_MINOR) + "." +
         std::to_string(BNQ_VERSION_PATCH) + " (libbnq " +
         bnq_version_string() + ", ABI " + std::to_string(bnq_abi_version()) +
         ")";
}

void AddInfo(CLI::App& app) {
  struct Options {
    std::string format;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "info", "Show the version, SIMD targets, threads, formats and options");
  command->add_option("format", options->format,
                      "Show this format instead, and which options and values "
                      "go with it, and why others do not");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  bnq info\n"
      "  bnq info nf4\n\n");
  command->callback([options] {
    if (!options->format.empty()) {
      PrintFormat(options->format, options->json);
    } else if (options->json) {
      PrintJsonInfo();
    } else {
      PrintTextInfo();
    }
  });
}

}  // namespace bnq::cli
