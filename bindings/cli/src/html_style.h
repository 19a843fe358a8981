// What every report's page has in it.
#ifndef BNQ_CLI_HTML_STYLE_H_
#define BNQ_CLI_HTML_STYLE_H_

#include <string_view>

namespace bnq::cli {

extern const std::string_view kPageStyle;
// Makes the headings of the table sort it.
extern const std::string_view kPageScript;
// The script's SHA-256 in base64: browsers run this script and no other, even
// if markup found a way into the page.
extern const std::string_view kPageScriptHash;

}  // namespace bnq::cli

#endif  // BNQ_CLI_HTML_STYLE_H_
