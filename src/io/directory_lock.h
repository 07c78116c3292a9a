// io/directory_lock.h: a directory that one process at a time writes: flock on DIR/.eyrie-lock, which the kernel
// releases however the process ends. Between containers and machines it reaches as far as flock does on the volume they
// share.
#pragma once
#include <optional>
#include <string>

#include "io/descriptor.h"

namespace eyrie {

class DirectoryLock {
 public:
  // Makes the directory when it is missing. Error{file} "DIR: another WORK (process N) writes here", with the holder's
  // host where that is not this one. A file system that knows no locks is warned of, and not locked.
  DirectoryLock(std::string directory, const std::string& work);
  ~DirectoryLock();  // removes the file, and the directory when it made it and nothing is in it
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  const std::string directory_, path_;
  const bool made_;
  std::optional<Descriptor> file_;
};

}  // namespace eyrie
