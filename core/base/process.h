// Telling a process from the children that it forks.
#ifndef BNQ_CORE_BASE_PROCESS_H_
#define BNQ_CORE_BASE_PROCESS_H_

#include <cstdint>

namespace bnq {

// Where it was made: an object that holds what a fork does not copy (threads, a
// file on disk) asks its mark before it touches that. Unlike a process id, it
// is never taken for another's, and costs a load.
class ProcessMark {
 public:
  // Throws std::bad_alloc.
  ProcessMark();
  // Whether this is the process in which the mark was made.
  bool IsHere() const;

 private:
  uint64_t forks_;
};

}  // namespace bnq

#endif  // BNQ_CORE_BASE_PROCESS_H_
