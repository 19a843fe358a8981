#include "table.h"

#include <algorithm>
#include <ostream>

#include "text.h"

namespace bnq::cli {

void Table::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::AddRule() { rows_.emplace_back(); }

void Table::AddHeading(std::string text) { rows_.push_back({std::move(text)}); }

void Table::Print(std::ostream& out) const {
  std::vector<std::size_t> shown;
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    for (const auto& row : rows_) {
      if (row.size() > 1) widths[c] = std::max(widths[c], TextWidth(row[c]));
    }
    if (widths[c] == 0) continue;
    widths[c] = std::max(widths[c], TextWidth(columns_[c].title));
    shown.push_back(c);
  }

  const auto PrintLine = [&](const auto& cell) {
    std::string line;
    for (const std::size_t c : shown) {
      const std::string text = cell(c);
      const std::string padding(widths[c] - TextWidth(text), ' ');
      if (!line.empty()) line += "  ";
      line += columns_[c].align == kLeft ? text + padding : padding + text;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  };

  PrintLine([&](std::size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) {
    if (row.size() == 1) {
      out << '\n' << row[0] << '\n';
      continue;
    }
    PrintLine([&](std::size_t c) {
      return row.empty() ? std::string(widths[c], '-') : row[c];
    });
  }
}

}  // namespace bnq::cli
