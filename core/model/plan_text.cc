#include "core/model/plan_text.h"

#include <charconv>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/glob.h"
#include "core/base/names.h"
#include "core/scheme/presets.h"

namespace bnq {
namespace {

constexpr char kArrow[] = "->";
constexpr char kBlank[] = " \t\r";
constexpr char kMinBits[] = "bits>=";
constexpr struct {
  const char* word;
  Tie::Sort sort;
} kTies[] = {{"tie", Tie::Sort::kSiblings},
             {"tie_below", Tie::Sort::kBelow},
             {"tie_all", Tie::Sort::kAll}};

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// Runs take with each line that says something, without its comment; errors
// name it.
void ForEachLine(const std::string& text,
                 const std::function<void(const std::string&)>& take) {
  size_t number = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '"') quoted = !quoted;
      if (quoted && line[i] == '\\') ++i;
      const bool starts = i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t';
      if (!quoted && i < line.size() && line[i] == '#' && starts) {
        line.resize(i);
        break;
      }
    }
    line = Trimmed(line);
    if (line.empty()) continue;
    Within([&] { return Message("line ", number); }, [&] { take(line); });
  }
}

// What blanks separate; "..." holds blanks, \" and \\ in it are " and \.
std::vector<std::string> WordsOf(const std::string& text) {
  std::vector<std::string> words;
  for (size_t i = 0; i < text.size();) {
    i = text.find_first_not_of(kBlank, i);
    if (i == std::string::npos) break;
    std::string word;
    if (text[i] != '"') {
      const size_t end = std::min(text.find_first_of(kBlank, i), text.size());
      word = text.substr(i, end - i);
      i = end;
    } else {
      for (++i;; ++i) {
        if (i >= text.size()) {
          Fail(Status::kInvalidArgument, "a \" is not closed");
        }
        if (text[i] == '"') break;
        const bool escape = text[i] == '\\' && i + 1 < text.size() &&
                            (text[i + 1] == '"' || text[i + 1] == '\\');
        word += text[escape ? ++i : i];
      }
      ++i;
    }
    words.push_back(std::move(word));
  }
  return words;
}

std::string QuotedWord(const std::string& word) {
  const bool plain = !word.empty() &&
                     word.find_first_of(" \t\r\n\"#") == std::string::npos &&
                     word != kArrow;
  if (plain) return word;
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

template <class T>
T NumberOf(const std::string& condition, size_t from, T most) {
  T value{};
  const char* const end = condition.data() + condition.size();
  const auto [stop, error] =
      std::from_chars(condition.data() + from, end, value);
  const bool fits = value >= T{} && value <= most;  // a NaN does not
  if (error != std::errc() || stop != end || !fits) {
    Fail(Status::kInvalidArgument, Quoted(condition),
         " needs a number from 0 to ", most);
  }
  return value;
}

uint32_t KindsOf(const std::string& list) {
  uint32_t kinds = 0;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const LayerKind kind = LayerKindNamed(list.substr(begin, end - begin));
    kinds |= 1u << static_cast<int>(kind);
    begin = end + 1;
  }
  return kinds;
}

bool TakesAfter(const std::string& text, const char* prefix, size_t* from) {
  *from = std::string_view(prefix).size();
  return text.compare(0, *from, prefix) == 0;
}

void AddCondition(const std::string& text, PlanCondition* when) {
  size_t from = 0;
  if (TakesAfter(text, "rank>=", &from)) {
    when->min_rank = NumberOf<int>(text, from, kMaxRank);
  } else if (TakesAfter(text, "rank<=", &from)) {
    when->max_rank = NumberOf<int>(text, from, kMaxRank);
  } else if (TakesAfter(text, "size>=", &from)) {
    when->min_elements = NumberOf<uint64_t>(text, from, UINT64_MAX);
  } else if (TakesAfter(text, "size<=", &from)) {
    when->max_elements = NumberOf<uint64_t>(text, from, UINT64_MAX);
  } else if (TakesAfter(text, "kind=", &from)) {
    when->kinds = KindsOf(text.substr(from));
  } else {
    Fail(Status::kInvalidArgument, "condition ", Quoted(text),
         ", must be rank>=N, rank<=N, size>=N, size<=N or kind=KIND,...");
  }
}

int DefaultRank(const std::string& glob) {
  return IsGlob(glob) ? Plan::kMinRankAll : Plan::kMinRankNamed;
}

PlanRule RuleOf(const std::string& left, const std::string& right,
                const ConfigNames& names) {
  const std::vector<std::string> words = WordsOf(left);
  if (words.empty()) {
    Fail(Status::kInvalidArgument, "a rule needs a pattern before ->");
  }
  PlanRule rule;
  rule.when.glob = words[0];
  rule.when.min_rank = DefaultRank(words[0]);
  for (size_t i = 1; i < words.size(); ++i) AddCondition(words[i], &rule.when);
  size_t from = 0;
  if (right.empty()) {
    Fail(Status::kInvalidArgument,
         "a rule needs a config, none or bits>=N behind ->");
  }
  if (TakesAfter(right, kMinBits, &from)) {
    rule.min_bits = NumberOf<double>(right, from, 64.0);
    if (rule.min_bits == 0.0) {
      Fail(Status::kInvalidArgument, Quoted(right), " needs more than 0");
    }
  } else {
    Config config = Config::FromText(right, names);
    if (config.format() != 0) rule.config = std::move(config);
  }
  return rule;
}

// Where an arrow stands between blanks, outside of quotes.
size_t FindArrow(const std::string& line) {
  bool quoted = false;
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (quoted && line[i] == '\\') {
      ++i;
      continue;
    }
    const bool starts = i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t';
    const bool ends =
        i + 2 >= line.size() || line[i + 2] == ' ' || line[i + 2] == '\t';
    if (!quoted && starts && ends && line.compare(i, 2, kArrow) == 0) return i;
  }
  return std::string::npos;
}

void AddWords(const std::string& line, const std::vector<std::string>& words,
              Plan* plan) {
  // kind NAME = WORD ...
  if (words.size() < 4 || words[2] != "=") {
    Fail(Status::kInvalidArgument, Quoted(line),
         ", must be: kind KIND = WORD ...");
  }
  const LayerKind kind = LayerKindNamed(words[1]);
  for (size_t i = 3; i < words.size(); ++i) plan->AddWord(kind, words[i]);
}

void AddLine(const std::string& line, const ConfigNames& names, Plan* plan) {
  const size_t arrow = FindArrow(line);
  if (arrow != std::string::npos) {
    plan->Add(
        RuleOf(line.substr(0, arrow), Trimmed(line.substr(arrow + 2)), names));
    return;
  }
  std::vector<std::string> words = WordsOf(line);
  if (words[0] == "kind") return AddWords(line, words, plan);
  for (const auto& tie : kTies) {
    if (words[0] != tie.word) continue;
    if (words.size() < 2) {
      Fail(Status::kInvalidArgument, tie.word, " needs words behind it");
    }
    plan->AddTie({tie.sort, {words.begin() + 1, words.end()}});
    return;
  }
  Fail(Status::kInvalidArgument, Quoted(line),
       ", must be a rule (PATTERN -> CONFIG), kind, tie, tie_below or tie_all");
}

std::string RuleText(const PlanRule& rule) {
  const PlanCondition& when = rule.when;
  std::string text = QuotedWord(when.glob);
  if (when.kinds != 0) {
    const char* separator = " kind=";
    for (int i = 0; i < kNumLayerKinds; ++i) {
      if ((when.kinds >> i & 1) == 0) continue;
      text += Message(separator, LayerKindName(i));
      separator = ",";
    }
  }
  if (when.min_rank != DefaultRank(when.glob)) {
    text += Message(" rank>=", when.min_rank);
  }
  if (when.max_rank != kMaxRank) text += Message(" rank<=", when.max_rank);
  if (when.min_elements != 0) text += Message(" size>=", when.min_elements);
  if (when.max_elements != UINT64_MAX) {
    text += Message(" size<=", when.max_elements);
  }
  text += " -> ";
  if (rule.min_bits != 0.0) return text + Message(kMinBits, rule.min_bits);
  return text + (rule.config ? ShortText(*rule.config) : "none");
}

bool IsRecipeName(const std::string& name) {
  if (name.empty()) return false;
  for (const char c : name) {
    const char lower = AsciiLower(c);
    const bool good = (lower >= 'a' && lower <= 'z') ||
                      (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                      c == '-';
    if (!good) return false;
  }
  return true;
}

void CheckRecipeName(const std::string& name, const char* what) {
  if (IsRecipeName(name)) return;
  Fail(Status::kInvalidArgument, "name ", Quoted(name), " of a ", what,
       ", must be of letters, digits and _ . -");
}

}  // namespace

void AddPlanText(const std::string& text, const ConfigNames& names,
                 Plan* plan) {
  Plan result = *plan;
  ForEachLine(text,
              [&](const std::string& line) { AddLine(line, names, &result); });
  *plan = std::move(result);
}

std::string PlanText(const Plan& plan) {
  std::string text;
  for (const auto& [kind, word] : plan.words()) {
    text += Message("kind ", LayerKindName(static_cast<int>(kind)), " = ", word,
                    "\n");
  }
  for (const Tie& tie : plan.ties()) {
    for (const auto& row : kTies) {
      if (row.sort == tie.sort) text += row.word;
    }
    for (const std::string& word : tie.words) text += ' ' + QuotedWord(word);
    text += '\n';
  }
  for (const PlanRule& rule : plan.rules()) text += RuleText(rule) + '\n';
  return text;
}

std::string ShortText(const Config& config) {
  if (config.format() == 0) return "none";
  // By their own texts; of two names the later one: "default" says less than
  // any.
  static const std::map<std::string, const char*> presets = [] {
    std::map<std::string, const char*> names;
    for (int i = 0; i < NumPresets(); ++i) {
      const Preset& preset = PresetAt(i);
      names[Config::FromText(preset.text).ToText()] = preset.name;
    }
    return names;
  }();
  const std::string text = config.ToText();
  const auto found = presets.find(text);
  return found == presets.end() ? text : found->second;
}

void Recipes::AddConfig(const std::string& name, const Config& config) {
  CheckRecipeName(name, "config");
  if (Config::HasPreset(name)) {
    Fail(Status::kExists, "name ", Quoted(name),
         " of a config is that of a preset or format already");
  }
  configs_[name] = config;
}

void Recipes::AddPlan(const std::string& name, const Plan& plan) {
  if (!name.empty()) CheckRecipeName(name, "plan");
  plans_[name] = plan;
}

void Recipes::AddText(const std::string& text) {
  Recipes result = *this;
  std::string plan_name;
  bool in_configs = false;
  Plan plan;
  const auto finish = [&] {
    const bool has =
        !plan.rules().empty() || !plan.words().empty() || !plan.ties().empty();
    if (has || !plan_name.empty()) result.AddPlan(plan_name, plan);
    plan = Plan();
    plan_name.clear();
  };
  ForEachLine(text, [&](const std::string& line) {
    // A glob may begin with a set: "[ab]* -> nf4" is a rule.
    if (line.front() == '[' && line.back() == ']' &&
        FindArrow(line) == std::string::npos) {
      finish();
      const std::vector<std::string> words =
          WordsOf(line.substr(1, line.size() - 2));
      in_configs = words.size() == 1 && words[0] == "configs";
      if (in_configs) return;
      if (words.size() != 2 || words[0] != "plan") {
        Fail(Status::kInvalidArgument, "section ", Quoted(line),
             ", must be [configs] or [plan NAME]");
      }
      CheckRecipeName(words[1], "plan");
      plan_name = words[1];
    } else if (in_configs) {
      const size_t equals = line.find('=');
      if (equals == std::string::npos) {
        Fail(Status::kInvalidArgument, Quoted(line), ", must be NAME = CONFIG");
      }
      result.AddConfig(Trimmed(line.substr(0, equals)),
                       result.ConfigOf(Trimmed(line.substr(equals + 1))));
    } else {
      AddLine(line, result.names(), &plan);
    }
  });
  finish();
  *this = std::move(result);
}

std::string Recipes::ToText() const {
  std::string text;
  const auto unnamed = plans_.find("");
  if (unnamed != plans_.end()) text += PlanText(unnamed->second);
  if (!configs_.empty()) text += "[configs]\n";
  for (const auto& [name, config] : configs_) {
    text += Message(name, " = ", ShortText(config), "\n");
  }
  for (const auto& [name, plan] : plans_) {
    if (name.empty()) continue;
    text += Message("[plan ", name, "]\n") + PlanText(plan);
  }
  return text;
}

Config Recipes::ConfigOf(const std::string& text) const {
  return Config::FromText(text, names());
}

const Plan& Recipes::PlanOf(const std::string& name) const {
  const auto found = plans_.find(name);
  if (found != plans_.end()) return found->second;
  std::string all;
  Nearest nearest(name);
  for (const auto& [known, plan] : plans_) {
    all += (all.empty() ? "" : ", ") + Quoted(known);
    nearest.Consider(known.c_str());
  }
  Fail(Status::kNotFound, "plan ", Quoted(name), ", must be one of: ", all,
       nearest.Question());
}

ConfigNames Recipes::names() const {
  return [this](const std::string& name) {
    const auto found = configs_.find(name);
    return found == configs_.end() ? nullptr : &found->second;
  };
}

}  // namespace bnq
