// io/staging.h: the place beside an output where it is written until it is whole: FINAL.tmp-eyrie-XXXXXX, holding `new`
// (what is written), sometimes `old` (what stood under the final name), and a mark that is locked while its writer
// lives. By the mark Eyrie knows what its dead writers left, also those of another container that shares the volume; a
// directory without it, whatever its name, is somebody's own, unless it is empty and of exactly such a name.
#pragma once
#include <optional>
#include <string>

#include "io/descriptor.h"

namespace eyrie {

// Where a path leads, through symlinks: what is there is replaced, or made, and the links stay.
std::string followed(const std::string& path);

class Staging {
 public:
  explicit Staging(const std::string& final_path);  // its parent exists; Error{file} names it
  ~Staging();                                       // removes the place
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const std::string& destination() const { return destination_; }
  const std::string& fresh() const { return fresh_; }  // write the file or directory of this name

  // The fresh file or directory takes the final name; a directory that stood there is removed with the place.
  void put_in_place() const;

 private:
  bool mark(const std::string& shown);
  void replace_in_two_steps() const;

  std::string destination_, path_, fresh_;
  std::optional<Descriptor> mark_;
};

// Removes what dead writers of this path left beside it. On a file system that cannot exchange two names at once, a
// writer that died between its two renames left the old directory in its staging: it gets its name back, so call this
// before reading a directory that may have been written so.
void recover(const std::string& final_path);
// The same for everything that dead writers left in `parent`.
void recover_all(const std::string& parent);

}  // namespace eyrie
