// io/atomic_dir.h: a directory (or file) that appears under its final name whole or not at all: written beside it,
// every file and the directory fsynced, then renamed. If the writer dies, the final name still holds what it held
// before.
#pragma once
#include <string>
#include <string_view>

namespace eyrie {

class AtomicDirectory {
 public:
  explicit AtomicDirectory(
      std::string final_path);  // makes the temporary directory; removes stale ones of dead writers
  ~AtomicDirectory();           // removes it unless committed
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;
  const std::string& path() const { return temporary_; }  // write files here
  void commit();                                          // replaces what stands under the final name

 private:
  std::string final_, temporary_;
  bool committed_ = false;
};

// One file, the same promise. Error{file} with the system's reason; the old file stays whole then.
void write_file_atomically(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace eyrie
