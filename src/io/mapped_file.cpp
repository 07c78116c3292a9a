#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "io/descriptor.h"

namespace eyrie {

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status = {};
  if (fstat(file.number(), &status) != 0) throw system_error(path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::file, path, "expected a regular file");
  if (status.st_size == 0) return;
  void* data = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (data == MAP_FAILED) throw system_error(path, "cannot be mapped");
  data_ = static_cast<const unsigned char*>(data);
  size_ = static_cast<size_t>(status.st_size);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<unsigned char*>(data_), size_);
}

std::string stand_in(std::string_view bytes) {
  if (bytes.starts_with("version https://git-lfs.github.com/spec/"))
    return "is a Git LFS pointer: git lfs pull brings the file";
  const size_t first = bytes.find_first_not_of("\xef\xbb\xbf \t\r\n");
  if (first != std::string_view::npos && bytes[first] == '<')
    return "is a web page, not the file: what was downloaded is the answer of a server that did not give it";
  return "";
}

}  // namespace eyrie
