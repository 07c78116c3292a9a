#include "io/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/log.h"

namespace eyrie {
namespace {

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// What the file says of its holder, "PID HOST"; nothing in the moment before a new holder has written it.
std::string holder(const Descriptor& file) {
  char text[512] = "";
  if (pread(file.number(), text, sizeof text - 1, 0) < 0) return "";
  std::string process, host;
  std::istringstream(text) >> process >> host;
  if (process.empty()) return "";
  return " (process " + process + (host == host_name() ? "" : " on host " + host) + ")";
}

// A holder that ends removes the file: who opened it before has then locked a file without a name.
bool has_its_name(const Descriptor& file, const std::string& path) {
  struct stat opened = {}, named = {};
  return fstat(file.number(), &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
}

}  // namespace

DirectoryLock::DirectoryLock(std::string directory, const std::string& work)
    : directory_(std::move(directory)),
      path_(directory_ + "/.eyrie-lock"),
      made_(std::filesystem::create_directories(directory_)) {
  do {
    file_.emplace(path_, O_RDWR | O_CREAT);
    if (flock(file_->number(), LOCK_EX | LOCK_NB) == 0) continue;
    if (errno == EWOULDBLOCK)
      throw Error(ErrorKind::file, directory_, "another " + work + holder(*file_) + " writes here");
    log_warning(system_error(path_, "cannot be locked, so nothing keeps another " + work + " out").what());
    return;
  } while (!has_its_name(*file_, path_));
  if (ftruncate(file_->number(), 0) != 0) throw system_error(path_, "cannot be written");
  file_->write(std::to_string(getpid()) + " " + host_name() + "\n");
}

DirectoryLock::~DirectoryLock() {
  ::unlink(path_.c_str());
  if (made_) ::rmdir(directory_.c_str());
}

}  // namespace eyrie
