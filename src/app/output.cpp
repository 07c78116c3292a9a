#include "app/output.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace fs = std::filesystem;

void expect_replaceable(const std::string& directory, const std::vector<std::string_view>& own_names) {
  if (!fs::exists(directory)) return;
  if (!fs::is_directory(directory)) throw Error(ErrorKind::usage, directory, "is there already, and not a directory");
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    const auto begins_name = [&](std::string_view own) { return name.starts_with(own); };
    if (!entry.is_regular_file() || std::none_of(own_names.begin(), own_names.end(), begins_name))
      throw Error(ErrorKind::usage, directory, "holds " + name + ", which would be lost: name another directory");
  }
}

void expect_writable(const std::string& path) {
  if (fs::is_directory(path)) throw Error(ErrorKind::file, path, "cannot be written: is a directory");
  const AtomicFile written_beside(path);
}

}  // namespace eyrie
