#include <iostream>
#include <memory>

#include "../commands.h"
#include "../failure.h"
#include "../rows.h"
#include "../session.h"
#include "../text.h"

namespace bnq::cli {
namespace {

struct Options {
  std::string input;
  SessionOptions session;
};

void Verify(const Options& options) {
  Totals totals;
  {
    Session session(options.session);
    bnq_file* opened = nullptr;
    Check(bnq_file_open(session.context(), options.input.c_str(), 0, &opened));
    const File file(opened);
    Check(bnq_file_verify(session.context(), opened, session.progress(),
                          session.opaque()));
    totals = TotalsOf(RowsOf(opened));
  }
  if (options.session.quiet) return;
  std::cout << Printable(options.input) << ": ok, " << totals.tensors
            << " tensors, " << BytesText(totals.bytes) << '\n';
}

}  // namespace

void AddVerify(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "verify", "Read every byte of a model file and check it");
  command
      ->add_option("FILE", options->input,
                   "A .safetensors, .safetensors.index.json, .npy or .bnq file")
      ->required()
      ->option_text("FILE");
  AddSessionOptions(*command, options->session);
  command->footer(
      "Examples:\n"
      "  bnq verify model.bnq\n"
      "  for file in *.bnq; do bnq verify -q \"$file\" || echo \"$file\"; "
      "done\n\n");
  command->callback([options] { Verify(*options); });
}

}  // namespace bnq::cli
