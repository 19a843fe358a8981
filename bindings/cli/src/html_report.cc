#include "html_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "html_style.h"
#include "svg.h"
#include "text.h"

namespace bnq::cli {
namespace {

constexpr std::size_t kOpen = 3;

// A number as scripts read it, with all its digits.
std::string ScriptNumber(double value) {
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char buffer[32];
  return std::string(buffer,
                     std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// Isolated, so that a text that runs from right to left ends with its element.
std::string Isolated(std::string_view text) {
  return "<bdi>" + XmlText(text) + "</bdi>";
}

// Configs may break behind their parts, and names of tensors.
std::string Breakable(std::string_view text, char behind = ',') {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(behind), text.size() - 1) + 1;
    out += XmlText(text.substr(0, end));
    if (end < text.size()) out += "<wbr>";
    text.remove_prefix(end);
  }
  return "<bdi>" + out + "</bdi>";
}

std::string Element(const char* tag, std::string_view text,
                    const char* css = nullptr) {
  std::string out = std::string("<") + tag;
  if (css != nullptr) out += std::string(" class=\"") + css + '"';
  return out + '>' + XmlText(text) + "</" + tag + '>';
}

std::string Definitions(
    const std::vector<std::pair<std::string, std::string>>& pairs,
    const char* css) {
  if (pairs.empty()) return "";
  std::string out = std::string("<dl class=\"") + css + "\">\n";
  for (const auto& [name, value] : pairs) {
    out += "<div>" + Element("dt", name) + "<dd>" + Breakable(value) +
           "</dd></div>\n";
  }
  return out + "</dl>\n";
}

bool HasSection(const PageRow& row) {
  return row.histogram || !row.details.empty();
}

std::string Head(const Page& page) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
         "<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
         "'none'; img-src data:; style-src 'unsafe-inline'; script-src "
         "'sha256-" +
         std::string(kPageScriptHash) +
         "'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, "
         "initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<link rel=\"icon\" href=\"data:,\">\n" +
         Element("title", page.title + " - " + page.command) + "\n<style>\n" +
         std::string(kPageStyle) + "</style>\n</head>\n";
}

std::string Header(const Page& page) {
  return "<header>\n" + Element("p", page.command, "command") + "\n<h1>" +
         Isolated(page.title) + "</h1>\n" + Definitions(page.facts, "facts") +
         "</header>\n";
}

std::string Totals(const Page& page) {
  std::string out = "<section class=\"totals\" aria-label=\"Totals\">\n";
  for (const Page::Total& total : page.totals) {
    out += "<div>" + Element("p", total.label, "label") +
           Element("p", total.value, "value");
    if (!total.note.empty()) {
      out += "<p class=\"note\">" + Breakable(total.note, '.') + "</p>";
    }
    out += "</div>\n";
  }
  return out + "</section>\n";
}

std::string Figure(const Curve& curve) {
  const std::string chart = CurveChart(curve);
  if (chart.empty()) return "";
  return "<section>\n<h2>Size and loss</h2>\n<figure class=\"curve\">\n" +
         chart + "</figure>\n</section>\n";
}

// The greatest finite number of each column, for its bars.
std::vector<double> Greatest(const Page& page) {
  std::vector<double> greatest(page.columns.size(), 0);
  for (const PageRow& row : page.rows) {
    for (std::size_t c = 0; c < greatest.size(); ++c) {
      const double number = row.cells.at(c).number;
      if (std::isfinite(number)) greatest[c] = std::max(greatest[c], number);
    }
  }
  return greatest;
}

std::string TableHead(const Page& page) {
  std::string out = "<thead>\n<tr><th scope=\"col\">Name</th>";
  for (const PageColumn& column : page.columns) {
    out += "<th scope=\"col\"";
    if (column.kind == PageColumn::kNumber) out += " class=\"number\"";
    if (column.kind == PageColumn::kBar) out += " class=\"number bar\"";
    if (!column.help.empty()) out += " title=\"" + XmlText(column.help) + '"';
    out += '>' + XmlText(column.title) + "</th>";
  }
  if (!page.histograms.empty()) {
    out += Element("th", page.histograms, "picture");
  }
  return out + "</tr>\n</thead>\n";
}

std::string CellText(const PageColumn& column, const PageCell& cell,
                     double greatest) {
  if (column.kind == PageColumn::kText) {
    return "<td class=\"text\">" + Breakable(cell.text) + "</td>";
  }
  std::string out = "<td class=\"number";
  if (column.kind == PageColumn::kBar) out += " bar";
  out += '"';
  if (!std::isnan(cell.number)) {
    out += " data-v=\"" + ScriptNumber(cell.number) + '"';
    if (column.kind == PageColumn::kBar && greatest > 0 &&
        std::isfinite(cell.number)) {
      const double part = std::min(std::max(cell.number / greatest, 0.0), 1.0);
      out += " style=\"--w:" + FixedText(part, 3) + '"';
    }
  }
  return out + '>' + XmlText(cell.text) + "</td>";
}

std::string TableRow(const Page& page, std::size_t index,
                     const std::vector<double>& greatest) {
  const PageRow& row = page.rows[index];
  const std::string name = Breakable(row.name, '.');
  std::string out = "<tr><th scope=\"row\">";
  out += HasSection(row)
             ? "<a href=\"#t" + std::to_string(index) + "\">" + name + "</a>"
             : name;
  if (!row.note.empty()) {
    out += "<small>" + Isolated(row.note) + "</small>";
  }
  out += "</th>";
  for (std::size_t c = 0; c < page.columns.size(); ++c) {
    out += CellText(page.columns[c], row.cells.at(c), greatest[c]);
  }
  if (!page.histograms.empty()) {
    out += "<td class=\"picture\">" +
           (row.histogram ? SmallHistogram(*row.histogram) : "") + "</td>";
  }
  return out + "</tr>\n";
}

std::string TableSection(const Page& page) {
  const std::vector<double> greatest = Greatest(page);
  std::string out = "<section>\n" + Element("h2", page.rows_title) +
                    "\n<div class=\"scroll\">\n<table>\n" + TableHead(page) +
                    "<tbody>\n";
  for (std::size_t i = 0; i < page.rows.size(); ++i) {
    out += TableRow(page, i, greatest);
  }
  return out + "</tbody>\n</table>\n</div>\n</section>\n";
}

// What the table says of a row, and more.
std::string RowSection(const Page& page, std::size_t index, bool open) {
  const PageRow& row = page.rows[index];
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t c = 0; c < page.columns.size(); ++c) {
    pairs.emplace_back(page.columns[c].title, row.cells.at(c).text);
  }
  pairs.insert(pairs.end(), row.details.begin(), row.details.end());
  if (!row.note.empty()) pairs.emplace_back("Note", row.note);
  std::string out = std::string("<details") + (open ? " open" : "") +
                    ">\n<summary>" + Isolated(row.name) +
                    // A browser opens what its address points into.
                    "</summary>\n<div class=\"detail" +
                    (row.histogram ? "" : " plain") + "\" id=\"t" +
                    std::to_string(index) + "\">\n" +
                    Definitions(pairs, "values");
  if (row.histogram) {
    out += "<figure>\n" + LargeHistogram(*row.histogram) + "</figure>\n";
  }
  return out + "</div>\n</details>\n";
}

std::string Sections(const Page& page) {
  std::string out;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < page.rows.size(); ++i) {
    if (!HasSection(page.rows[i])) continue;
    out += RowSection(page, i, shown++ < kOpen);
  }
  if (out.empty()) return "";
  return "<section class=\"details\">\n<h2>In detail, the worst first</h2>\n" +
         out + "</section>\n";
}

std::string Footer(const Page& page) {
  std::string out = "<footer>\n";
  for (const std::string& note : page.notes) out += Element("p", note) + '\n';
  return out + "</footer>\n";
}

}  // namespace

PageCell::PageCell(std::string words)
    : text(std::move(words)),
      number(std::numeric_limits<double>::quiet_NaN()) {}

PageCell::PageCell(std::string text_of_number, double value)
    : text(std::isnan(value) ? "–" : std::move(text_of_number)),
      number(value) {}

std::string HtmlReport(const Page& page) {
  return Head(page) + "<body>\n<main>\n" + Header(page) + Totals(page) +
         Figure(page.curve) + TableSection(page) + Sections(page) +
         Footer(page) + "</main>\n<script>" + std::string(kPageScript) +
         "</script>\n</body>\n</html>\n";
}

}  // namespace bnq::cli
