// The page of quantize and diff: rows of a bnq_report, the worst first.
#ifndef BNQ_CLI_TENSOR_PAGE_H_
#define BNQ_CLI_TENSOR_PAGE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "html_report.h"
#include "rows.h"

namespace bnq::cli {

// The rows' indices, the worst first: those that could not be compared or are
// not numbers and differ, then by SQNR; last those without a difference, and
// last of all those without metrics, where `missing_is_worst` is not set.
std::vector<std::size_t> WorstFirst(const std::vector<Row>& rows,
                                    bool missing_is_worst);

// The columns, and a row for each of `order` in its order. What a row loses is
// its number of elements times its relative squared error, as in bnq.h, section
// 16, and its share of that of all rows.
void AddTensorRows(const std::vector<Row>& rows,
                   const std::vector<std::size_t>& order, Page& page);

// Size, bits and worst tensor of the rows.
void AddTensorTotals(const std::vector<Row>& rows,
                     const std::vector<std::size_t>& order, Page& page);

// What "loss share" and "SQNR" are, for the end of a page.
std::string LossNote();

// "51.0 %", "<0.1 %".
std::string PercentText(double part);

}  // namespace bnq::cli

#endif  // BNQ_CLI_TENSOR_PAGE_H_
