// An aligned table on standard output.
#ifndef BNQ_CLI_TABLE_H_
#define BNQ_CLI_TABLE_H_

#include <iosfwd>
#include <string>
#include <vector>

namespace bnq::cli {

class Table {
 public:
  enum Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell for each column. Cells are never cut: names must stay whole to be
  // of use to grep and in --include.
  void Add(std::vector<std::string> cells);
  // A line of dashes, before a row of totals.
  void AddRule();
  // A blank line, and one of text, before rows that it describes.
  void AddHeading(std::string text);
  // Leaves out columns that are empty in every row.
  void Print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  // An empty row is a rule, one of a single cell a heading.
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_TABLE_H_
