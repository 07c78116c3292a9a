// io/atomic_dir.h: a directory (or file) that appears under its final name whole or not at all: written in a staging
// beside it, every file and the directory fsynced, then put in place. If the writer dies, the final name still holds
// what it held before. Symlinks are followed: what they lead to is replaced.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "io/descriptor.h"
#include "io/staging.h"

namespace eyrie {

class AtomicDirectory {
 public:
  // Makes the directory to write into, and the parent when it is missing, after recover(final_path).
  explicit AtomicDirectory(const std::string& final_path);
  const std::string& path() const { return staging_->fresh(); }  // write files here, until commit()
  void commit();                                                 // replaces the directory under the final name

 private:
  std::optional<Staging> staging_;  // until committed
};

// What has no content to replace: a device, a pipe, a socket, or an open file by its name in /proc (/dev/stdout).
bool is_stream(const std::string& path);

// One file, the same promise; a stream is written to as it stands. Error{file} with the system's reason; the old file
// stays whole then.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& final_path);
  void write(std::string_view bytes) { file_.write(bytes); }
  void commit();

 private:
  std::optional<Staging> staging_;  // until committed; none for a stream
  Descriptor file_;
};
void write_file_atomically(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace eyrie
