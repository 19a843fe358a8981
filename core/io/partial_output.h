// An output that a killed process leaves behind so that another can go on with
// it.
#ifndef BNQ_CORE_IO_PARTIAL_OUTPUT_H_
#define BNQ_CORE_IO_PARTIAL_OUTPUT_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/io/journal.h"
#include "core/io/temporary_file.h"

namespace bnq {

class HeldOutputs;  // held_outputs.h

// Beside the output `target` a directory `target`.part, which has
//
//   journal   what it is of (the fingerprint), what is finished in the files
//             (records, each behind the data that it tells of), and at the end
//             what takes which place
//   1, 2, ... the files in the order in which they were begun
//   output    where the output is a directory: what it will be
//
// The name can be foreseen, so the directory is this user's alone (mode 0700),
// and one that is not is refused; links are not followed. One process has it
// at a time. For one thread.
class PartialOutput {
 public:
  // Time between two syncs, at least: what a crash may cost.
  static constexpr std::chrono::milliseconds kInterval{250};

  // Makes it, or goes on with one of this fingerprint, which is lines of text.
  // EXISTS for one of another fingerprint, naming the line, unless it is to
  // begin anew; for one that another process has open; for a directory that is
  // none. IO.
  PartialOutput(const std::string& target, const std::string& fingerprint,
                bool restart, std::chrono::milliseconds interval = kInterval);
  // What is finished is recorded; where nothing was begun, nothing is left.
  ~PartialOutput();
  PartialOutput(const PartialOutput&) = delete;
  PartialOutput& operator=(const PartialOutput&) = delete;

  // What was finished before.
  const std::vector<std::string>& records() const { return records_; }
  // Whether everything was, so that only places are to be taken.
  bool complete() const { return complete_; }
  // Puts what is not in its place yet there, or among the outputs.
  static void Complete(const std::shared_ptr<PartialOutput>& partial,
                       HeldOutputs* outputs, bool replace);

  // The next file, with what it has already. `output` stands for it in
  // messages.
  std::shared_ptr<TemporaryFile> OpenFile(const std::string& output,
                                          unsigned mode, bool exactly);
  std::shared_ptr<TemporaryDirectory> OpenDirectory(const std::string& output);

  // Something more is finished: recorded when its data is safe.
  void Record(std::string record);

  // What takes which place, once that is known.
  struct Move {
    std::string from, to;
  };
  const std::vector<Move>& moves() const { return moves_; }
  // HeldOutputs: something in the directory ("" for nothing) takes a place.
  void BeginPlacing(const std::vector<Move>& moves);
  // All have, so that the directory goes.
  void Placed();

 private:
  void OpenJournal();
  void ReadRecords(const std::string& fingerprint);
  void RemoveFiles();
  void Flush();

  const std::string target_, directory_;
  const std::chrono::milliseconds interval_;
  std::unique_ptr<Journal> journal_;
  std::vector<std::string> records_;
  std::vector<Move> moves_;
  bool complete_ = false;
  std::vector<std::shared_ptr<TemporaryFile>> files_;
  std::vector<std::string> waiting_;  // to be recorded
  std::chrono::steady_clock::time_point flushed_;
  ProcessMark process_;
};

}  // namespace bnq

#endif  // BNQ_CORE_IO_PARTIAL_OUTPUT_H_
