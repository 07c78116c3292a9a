#include "io/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace eyrie {

Error system_error(const std::string& path, std::string_view what) {
  return {ErrorKind::file, path, std::string(what) + ": " + std::strerror(errno)};
}

Descriptor::Descriptor(const std::string& path, int flags, const std::string& shown)
    : path_(shown.empty() ? path : shown), number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
  if (number_ < 0) throw system_error(path_, flags & O_CREAT ? "cannot be written" : "cannot be opened");
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

void Descriptor::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(number_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw system_error(path_, "cannot be written");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void Descriptor::sync() const {
  if (fsync(number_) != 0) throw system_error(path_, "cannot be written to the disk");
}

void Descriptor::close() {
  const int result = ::close(number_);
  number_ = -1;
  if (result != 0) throw system_error(path_, "cannot be written");
}

void sync_path(const std::string& path) { Descriptor(path, O_RDONLY).sync(); }

}  // namespace eyrie
