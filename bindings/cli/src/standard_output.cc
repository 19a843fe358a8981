#include "standard_output.h"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include "console.h"
#include "failure.h"
#include "progress.h"

namespace bnq::cli {
namespace {

std::stringbuf* g_text = nullptr;

}  // namespace

StandardOutput::StandardOutput() : usual_(std::cout.rdbuf(&text_)) {
  g_text = &text_;
}

StandardOutput::~StandardOutput() {
  g_text = nullptr;
  std::cout.rdbuf(usual_);
}

void StandardOutput::Flush() {
  const std::string text = g_text->str();
  g_text->str("");
  Progress::LetSignalsInterrupt();
  std::size_t written = 0;
  while (written < text.size()) {
    const long n = WriteOutput(text.data() + written, text.size() - written);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      if (Progress::Stopped()) Check(BNQ_ERROR_CANCELLED);
    } else {
      throw Failure(kInputOutput,
                    std::string("cannot write to standard output: ") +
                        std::strerror(errno));
    }
  }
}

}  // namespace bnq::cli
