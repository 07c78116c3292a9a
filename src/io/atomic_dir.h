// io/atomic_dir.h: a directory (or file) that appears under its final name whole or not at all: written beside it,
// every file and the directory fsynced, then renamed. If the writer dies, the final name still holds what it held
// before.
#pragma once
#include <string>
#include <string_view>

#include "io/descriptor.h"

namespace eyrie {

class AtomicDirectory {
 public:
  // Makes the temporary directory, and the parent when it is missing, after recover_directory(final_path).
  explicit AtomicDirectory(std::string final_path);
  ~AtomicDirectory();  // removes it unless committed
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;
  const std::string& path() const { return temporary_; }  // write files here
  void commit();                                          // replaces what stands under the final name

 private:
  std::string final_, temporary_;
  bool committed_ = false;
};

// Removes what dead writers of this directory left beside it. On a file system that cannot exchange two names at once,
// a writer that died between its two renames left the old directory under another name: it gets its name back, so call
// this before reading a directory that may have been written so.
void recover_directory(const std::string& final_path);
// The same for everything that dead writers left in `parent`.
void recover_all(const std::string& parent);

// One file, the same promise. Error{file} with the system's reason; the old file stays whole then.
class AtomicFile {
 public:
  explicit AtomicFile(std::string final_path);
  ~AtomicFile();  // removes what was written unless committed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::string_view bytes) { file_.write(bytes); }
  void commit();

 private:
  std::string final_, temporary_;
  Descriptor file_;
  bool committed_ = false;
};
void write_file_atomically(const std::string& path, std::string_view bytes);
std::string read_file(const std::string& path);

}  // namespace eyrie
