// Patterns of names.
#ifndef BNQ_CORE_BASE_GLOB_H_
#define BNQ_CORE_BASE_GLOB_H_

#include <string>

namespace bnq {

// The whole name against * (any characters), ? (any one), [a-z] and [!a-z]
// (sets), \ (quotes the next). A set that is not closed stands for itself.
bool GlobMatch(const std::string& glob, const std::string& name);

// Whether it may match another name than itself.
bool IsGlob(const std::string& text);

// The pattern that matches this name alone.
std::string QuoteGlob(const std::string& name);

}  // namespace bnq

#endif  // BNQ_CORE_BASE_GLOB_H_
