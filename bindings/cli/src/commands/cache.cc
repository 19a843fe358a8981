#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../commands.h"
#include "../failure.h"
#include "../handles.h"
#include "../json.h"
#include "../session.h"
#include "../table.h"
#include "../text.h"

namespace bnq::cli {
namespace {

using Cache = Handle<bnq_cache, bnq_cache_destroy>;
using CacheList = Handle<bnq_cache_list, bnq_cache_list_destroy>;

struct Options {
  std::string action, folder, name;
  uint64_t size = 0;
  CLI::Option* size_option = nullptr;
  CLI::Option* name_option = nullptr;
  bool json = false;
  SessionOptions session;
};

struct Entry {
  std::string key;
  std::vector<std::string> names;
  std::vector<uint64_t> shape;
  std::string config;
  uint64_t bytes = 0;
  double used = 0;
  bool damaged = false;
};

std::string FolderOf(const Options& options) {
  if (!options.folder.empty()) return options.folder;
  uint64_t size = 0;
  CheckUsage(bnq_cache_default_folder(nullptr, 0, &size), "--folder");
  std::string text(size, '\0');
  Check(bnq_cache_default_folder(text.data(), size, nullptr));
  text.pop_back();
  return text;
}

// Entries with a name that matches --name; all without it.
std::vector<Entry> ReadEntries(const Options& options, Session& session,
                               bnq_cache* cache) {
  bnq_cache_list* created = nullptr;
  Check(bnq_cache_list_create(
      session.context(), cache,
      options.name_option->count() != 0 ? options.name.c_str() : nullptr,
      &created));
  const CacheList list(created);
  std::vector<Entry> entries;
  for (uint64_t i = 0; i < bnq_cache_list_count(created); ++i) {
    Entry entry;
    entry.key = bnq_cache_list_key(created, i);
    for (uint64_t k = 0; k < bnq_cache_list_name_count(created, i); ++k) {
      entry.names.push_back(bnq_cache_list_name(created, i, k));
    }
    uint64_t shape[BNQ_MAX_RANK];
    const int32_t rank = bnq_cache_list_shape(created, i, shape);
    entry.shape.assign(shape, shape + rank);
    entry.config = bnq_cache_list_config(created, i);
    entry.bytes = bnq_cache_list_bytes(created, i);
    entry.used = bnq_cache_list_used(created, i);
    entry.damaged = bnq_cache_list_damaged(created, i) == 1;
    entries.push_back(std::move(entry));
  }
  return entries;
}

// "2026-11-30 21:45:00", in UTC.
std::string TimeText(double seconds) {
  const std::time_t time = static_cast<std::time_t>(std::floor(seconds));
  char text[32] = "-";
  if (const std::tm* parts = std::gmtime(&time)) {
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", parts);
  }
  return text;
}

uint64_t BytesOf(const std::vector<Entry>& entries) {
  uint64_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.bytes;
  return bytes;
}

void List(const Options& options, Session& session, bnq_cache* cache,
          Json& object) {
  const std::vector<Entry> entries = ReadEntries(options, session, cache);
  Json rows = Json::array();
  Table table({{"name", Table::kLeft},
               {"shape", Table::kRight},
               {"config", Table::kLeft},
               {"bytes", Table::kRight},
               {"used (UTC)", Table::kLeft},
               {"key", Table::kLeft}});
  for (const Entry& entry : entries) {
    rows.push_back({{"key", entry.key},
                    {"names", entry.names},
                    {"shape", entry.shape},
                    {"config", entry.config},
                    {"bytes", entry.bytes},
                    {"used", entry.used},
                    {"damaged", entry.damaged}});
    std::string names;
    for (const std::string& name : entry.names) {
      names += (names.empty() ? "" : ", ") + Printable(name);
    }
    table.Add({names, entry.damaged ? "damaged" : ShapeText(entry.shape),
               entry.config, BytesText(entry.bytes), TimeText(entry.used),
               entry.key.substr(0, 12)});
  }
  object["entries"] = std::move(rows);
  object["bytes"] = BytesOf(entries);
  if (options.json || options.session.quiet) return;
  table.AddRule();
  table.Add({"total", std::to_string(entries.size()), "entries",
             BytesText(BytesOf(entries)), "", ""});
  table.Print(std::cout);
}

void Stat(const Options& options, Session& session, bnq_cache* cache,
          Json& object) {
  uint64_t names = 0, damaged = 0;
  double first = 0, last = 0;
  const std::vector<Entry> entries = ReadEntries(options, session, cache);
  for (const Entry& entry : entries) {
    names += entry.names.size();
    damaged += entry.damaged;
    last = std::max(last, entry.used);
    first = first == 0 ? entry.used : std::min(first, entry.used);
  }
  object["entries"] = entries.size();
  object["names"] = names;
  object["damaged"] = damaged;
  object["bytes"] = BytesOf(entries);
  object["used_first"] = first;
  object["used_last"] = last;
  if (options.json || options.session.quiet) return;
  std::cout << "folder:  " << Printable(object["folder"].get<std::string>())
            << "\nentries: " << entries.size() << ", "
            << BytesText(BytesOf(entries)) << "\nnames:   " << names
            << "\ndamaged: " << damaged << '\n';
  if (entries.empty()) return;
  std::cout << "used:    " << TimeText(first) << " to " << TimeText(last)
            << " UTC\n";
}

void Verify(const Options& options, Session& session, bnq_cache* cache,
            Json& object) {
  uint64_t damaged = 0;
  Check(bnq_cache_verify(session.context(), cache, session.progress(),
                         session.opaque(), &damaged));
  if (damaged != 0) {
    throw Failure(kBadInput, object["folder"].get<std::string>() + ": " +
                                 std::to_string(damaged) +
                                 " damaged entries, which have been set aside");
  }
  object["damaged"] = damaged;
  if (options.json || options.session.quiet) return;
  std::cout << Printable(object["folder"].get<std::string>()) << ": ok\n";
}

void PrintRemoved(const Options& options, uint64_t removed, Json& object) {
  object["removed"] = removed;
  if (options.json || options.session.quiet) return;
  std::cout << "removed " << removed << " entries\n";
}

void Trim(const Options& options, Session& session, bnq_cache* cache,
          Json& object) {
  if (options.size_option->count() == 0) {
    throw Failure(kUsage, "trim needs --size: what is to be left (5GB, 0)");
  }
  uint64_t removed = 0;
  Check(bnq_cache_trim(session.context(), cache, options.size, &removed));
  PrintRemoved(options, removed, object);
}

void Clear(const Options& options, Session& session, bnq_cache* cache,
           Json& object) {
  uint64_t removed = 0;
  if (options.name_option->count() != 0) {
    Check(bnq_cache_remove(session.context(), cache, options.name.c_str(),
                           &removed));
  } else {
    Check(bnq_cache_trim(session.context(), cache, 0, &removed));
    Check(bnq_cache_clear(session.context(), cache));
  }
  PrintRemoved(options, removed, object);
}

struct Action {
  const char* name;
  void (*run)(const Options&, Session&, bnq_cache*, Json&);
};
constexpr Action kActions[] = {{"list", List},
                               {"stat", Stat},
                               {"verify", Verify},
                               {"trim", Trim},
                               {"clear", Clear}};

void Run(const Options& options) {
  const std::string folder = FolderOf(options);
  Json object = {{"folder", folder}};
  {
    Session session(options.session);
    bnq_cache* created = nullptr;
    Check(bnq_cache_create(folder.c_str(), &created));
    const Cache cache(created);
    for (const Action& action : kActions) {
      if (options.action == action.name) {
        action.run(options, session, created, object);
      }
    }
  }
  if (options.json) PrintJson(object);
}

}  // namespace

void AddCache(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "cache", "List, check or clear a folder of layers quantized before");
  std::vector<std::string> names;
  std::string choices;
  for (const Action& action : kActions) {
    names.push_back(action.name);
    choices += (choices.empty() ? "" : "|") + std::string(action.name);
  }
  command
      ->add_option("ACTION", options->action,
                   "List the entries, those used last first; count them; read "
                   "all and set damaged ones aside; remove those not used for "
                   "longest; remove all")
      ->required()
      ->check(CLI::IsMember(names))
      ->option_text(choices);
  command
      ->add_option("--folder", options->folder,
                   "The cache's folder (default: BNQ_CACHE of the environment, "
                   "or bnq in XDG_CACHE_HOME or ~/.cache)")
      ->option_text("PATH");
  options->name_option =
      command
          ->add_option("--name", options->name,
                       "Of list, stat and clear: only entries with a name that "
                       "matches")
          ->option_text("GLOB");
  options->size_option =
      command
          ->add_option("--size", options->size,
                       "Of trim: bytes of entries that are left (5GB, 500MiB)")
          ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
          ->option_text("SIZE");
  command->add_flag("--json", options->json,
                    "Print one JSON object instead of text");
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq cache list --name 'model/*'\n"
      "  bnq cache trim --size 10GB\n"
      "  bnq cache verify --folder layers && bnq cache stat --folder "
      "layers\n\n");
  command->callback([options] { Run(*options); });
}

}  // namespace bnq::cli
