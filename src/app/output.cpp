#include "app/output.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/atomic_dir.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

bool is_number(std::string_view digits) {
  const bool padded = digits.size() == 5, longer = digits.size() > 5 && digits[0] != '0';
  return (padded || longer) && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

bool matches(std::string_view name, std::string_view own) {
  const size_t number = own.find('#');
  if (number == std::string_view::npos) return name == own;
  const std::string_view before = own.substr(0, number), after = own.substr(number + 1);
  return name.size() > own.size() && name.starts_with(before) && name.ends_with(after) &&
         is_number(name.substr(number, name.size() - before.size() - after.size()));
}

bool same_file(const fs::path& one, const fs::path& other) {
  std::error_code absent;
  return fs::equivalent(one, other, absent);
}

bool holds_working_directory(const fs::path& directory) {
  for (fs::path at = fs::current_path();; at = at.parent_path())
    if (same_file(directory, at) || at == at.parent_path()) return same_file(directory, at);
}

// What models, drafts and dumps are read from, whatever its name.
bool may_be_read(const fs::path& file) {
  const fs::path extension = file.extension();
  return extension == ".safetensors" || extension == ".json" || extension == ".jinja";
}

}  // namespace

void expect_replaceable(const std::string& directory, const std::vector<std::string_view>& own_names) {
  if (!fs::exists(directory)) return;
  if (!fs::is_directory(directory)) throw Error(ErrorKind::usage, directory, "is there already, and not a directory");
  if (holds_working_directory(directory))
    throw Error(ErrorKind::usage, directory,
                "is or holds the working directory, which cannot be replaced: name another");
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    const auto is_name = [&](std::string_view own) { return matches(name, own); };
    if (!fs::is_regular_file(entry.symlink_status()) || std::none_of(own_names.begin(), own_names.end(), is_name))
      throw Error(ErrorKind::usage, directory, "holds " + name + ", which would be lost: name another directory");
  }
}

void expect_not_an_input(const std::string& output, const std::vector<std::string>& inputs) {
  if (!fs::exists(output)) return;
  for (const std::string& input : inputs) {
    if (same_file(output, input)) throw Error(ErrorKind::usage, output, "is an input of this command: name another");
    std::error_code not_a_directory;
    for (const fs::directory_entry& entry : fs::directory_iterator(input, not_a_directory))
      if (may_be_read(entry) && same_file(output, entry))
        throw Error(ErrorKind::usage, output, "is a file of the input " + input + ": name another");
  }
}

void expect_writable(const std::string& path) {
  if (fs::is_directory(path)) throw Error(ErrorKind::file, path, "cannot be written: is a directory");
  if (!is_stream(path)) {
    const AtomicFile written_beside(path);
  } else if (access(path.c_str(), W_OK) != 0) {  // opening a pipe would wait for its reader
    throw system_error(path, "cannot be written");
  }
}

}  // namespace eyrie
