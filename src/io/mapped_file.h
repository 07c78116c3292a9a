// io/mapped_file.h: a whole file as read-only memory. The file must not shrink while it is mapped.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace eyrie {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);  // Error{file} with the system's reason
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const unsigned char> bytes() const { return {data_, size_}; }

 private:
  const unsigned char* data_ = nullptr;  // null when the file is empty
  size_t size_ = 0;
};

// What lies under a file's name when its download did not bring the file: "is a Git LFS pointer: git lfs pull …" or "is
// a web page, …" by its first bytes; empty when they are neither's.
std::string stand_in(std::string_view bytes);

}  // namespace eyrie
