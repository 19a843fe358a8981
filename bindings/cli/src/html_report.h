// Reports as one HTML page that needs nothing else: no network, no font, and
// no script but for sorting its table. The same page gives the same bytes.
#ifndef BNQ_CLI_HTML_REPORT_H_
#define BNQ_CLI_HTML_REPORT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "page_charts.h"

namespace bnq::cli {

// What is said of a tensor in one column. Text may be hostile anywhere in a
// page: it is escaped where it is written.
struct PageCell {
  PageCell(std::string words);
  // NaN: there is none, and it is last in any order.
  PageCell(std::string text, double number);

  std::string text;
  double number;
};

struct PageColumn {
  enum Kind {
    kText,
    kNumber,
    // With a bar beside it, as long as the number is great among those of its
    // column.
    kBar,
  };
  std::string title, help;
  Kind kind = kText;
};

struct PageRow {
  std::string name, note;
  // As many as the page has columns.
  std::vector<PageCell> cells;
  std::optional<PageHistogram> histogram;
  // Names and values that only the row's own section shows; a row without any
  // and without a histogram has no section.
  std::vector<std::pair<std::string, std::string>> details;
};

struct Page {
  struct Total {
    std::string label, value, note;
  };
  // "bnq diff", and what it was about.
  std::string command, title;
  // Names and values: paths, configs.
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<Total> totals;
  Curve curve;
  // What rows are: "Tensors"; what the histograms beside them count.
  std::string rows_title = "Tensors", histograms;
  // The worst row first: the sections of the first are open.
  std::vector<PageColumn> columns;
  std::vector<PageRow> rows;
  // Sentences on how to read it.
  std::vector<std::string> notes;
};

std::string HtmlReport(const Page& page);

}  // namespace bnq::cli

#endif  // BNQ_CLI_HTML_REPORT_H_
