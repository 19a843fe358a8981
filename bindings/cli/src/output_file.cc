#include "output_file.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "console.h"
#include "failure.h"

namespace bnq::cli {
namespace {

namespace fs = std::filesystem;

// Most file systems take 255 bytes; a number and an ending must fit too.
constexpr std::size_t kMostNameBytes = 200;

bool IsInput(const fs::path& output, const fs::path& input) {
  std::error_code ignored;
  if (fs::equivalent(output, input, ignored)) return true;
  if (!fs::is_directory(input, ignored)) return false;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(input, ignored)) {
    if (fs::equivalent(output, entry.path(), ignored)) return true;
  }
  return false;
}

}  // namespace

void CheckOutput(const std::string& path, bool force,
                 const std::vector<std::string>& inputs) {
  const fs::path output = fs::u8path(path);
  std::error_code ignored;
  // A link is there even where it leads nowhere.
  if (!fs::exists(fs::symlink_status(output, ignored))) return;
  for (const std::string& input : inputs) {
    if (IsInput(output, fs::u8path(input))) {
      throw Failure(kInputOutput, "'" + path + "' is also an input");
    }
  }
  if (!force) {
    throw Failure(kInputOutput, "'" + path + "' exists (--force replaces it)");
  }
}

bool IsNullDevice(const std::string& path) { return LeadsToNullDevice(path); }

void NewDirectory::Make(const std::string& path) {
  fs::path missing = fs::u8path(path);
  std::error_code error;
  std::vector<fs::path> made;
  while (!missing.empty() && !fs::exists(missing, error)) {
    made.push_back(missing);
    missing = missing.parent_path();
  }
  fs::create_directories(fs::u8path(path), error);
  if (error || !fs::is_directory(fs::u8path(path), error)) {
    throw Failure(kInputOutput, "cannot make the directory '" + path + "'" +
                                    (error ? ": " + error.message() : ""));
  }
  made_ = std::move(made);
}

NewDirectory::~NewDirectory() {
  std::error_code ignored;
  for (const fs::path& path : made_) fs::remove(path, ignored);
}

std::string FileNameFor(const std::string& name, const std::string& ending,
                        std::set<std::string>& taken) {
  std::string base;
  for (const char c : name.substr(0, kMostNameBytes)) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                      c == '_';
    base += safe ? c : '_';
  }
  // Neither hidden nor an option.
  if (base.empty() || base[0] == '.' || base[0] == '-') base.insert(0, "_");
  for (int n = 1;; ++n) {
    std::string file = base + (n == 1 ? "" : "-" + std::to_string(n)) + ending;
    std::string folded = file;
    std::transform(folded.begin(), folded.end(), folded.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (taken.insert(folded).second) return file;
  }
}

}  // namespace bnq::cli
