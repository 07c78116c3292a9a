// io/descriptor.h: an open file or directory, closed with its owner. Errors: Error{file} with the system's reason.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"

namespace eyrie {

// "path: <what>: <reason of errno>"
Error system_error(const std::string& path, std::string_view what);

class Descriptor {
 public:
  // Created files get mode 0666 less the umask. Errors name `shown` where it is given: what the user knows the file as.
  Descriptor(const std::string& path, int flags, const std::string& shown = "");
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

  void write(std::string_view bytes) const;
  void sync() const;  // to the disk
  void close();       // reports what a delayed write could not do

 private:
  std::string path_;
  int number_;
};

void sync_path(const std::string& path);  // a file, or a directory and so the names in it

}  // namespace eyrie
