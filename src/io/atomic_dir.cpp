#include "io/atomic_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>

#include "io/descriptor.h"
#include "io/mapped_file.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

// Beside `name` stand `name.tmp-PID-N` (being written) and `name.old-PID-N` (being replaced).
constexpr std::string_view kTemporary = ".tmp-", kReplaced = ".old-";

std::string name_beside(const std::string& path, std::string_view mark) {
  static std::atomic<int> number = 0;
  return path + std::string(mark) + std::to_string(getpid()) + "-" + std::to_string(number++);
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string parent_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// Whether `name` is base + mark + the number of a process that no longer runs.
bool left_by_dead_writer(std::string_view name, const std::string& base, std::string_view mark) {
  const std::string start = base + std::string(mark);
  if (name.substr(0, start.size()) != start) return false;
  pid_t process = 0;
  const std::string_view rest = name.substr(start.size());
  const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), process);
  const bool well_formed = problem == std::errc() && end != rest.data() + rest.size() && *end == '-';
  return well_formed && process > 0 && kill(process, 0) != 0 && errno == ESRCH;
}

void remove_quietly(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void rename_or_throw(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw system_error(to, "cannot be put in place");
}

void sync_tree(const std::string& directory) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (!entry.is_symlink()) sync_path(entry.path());
  sync_path(directory);
}

// Puts `fresh` under the name of `standing`, and what stood there under the name returned.
std::string replace(const std::string& fresh, const std::string& standing) {
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, standing.c_str(), RENAME_EXCHANGE) == 0) return fresh;
  if (errno != EINVAL && errno != ENOSYS) throw system_error(standing, "cannot be replaced");
  const std::string aside = name_beside(standing, kReplaced);
  rename_or_throw(standing, aside);
  if (::rename(fresh.c_str(), standing.c_str()) == 0) return aside;
  const Error error = system_error(standing, "cannot be replaced");
  rename_or_throw(aside, standing);
  throw error;
}

template <typename Work>
void with_file_errors(const std::string& path, const Work& work) {
  try {
    work();
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::file, path, "cannot be written: " + error.code().message());
  }
}

}  // namespace

void recover_directory(const std::string& final_path) {
  const std::string path = without_trailing_slash(final_path);
  const std::string base = fs::path(path).filename();
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent_of(path), problem)) {
    const std::string name = entry.path().filename();
    if (left_by_dead_writer(name, base, kTemporary)) remove_quietly(entry.path());
    if (!left_by_dead_writer(name, base, kReplaced)) continue;
    if (fs::exists(fs::symlink_status(path)))
      remove_quietly(entry.path());
    else
      rename_or_throw(entry.path(), path);
  }
}

void recover_all(const std::string& parent) {
  std::set<std::string> bases;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, problem)) {
    const std::string name = entry.path().filename();
    for (const std::string_view mark : {kTemporary, kReplaced})
      if (const size_t at = name.rfind(mark); at != std::string::npos) bases.insert(name.substr(0, at));
  }
  for (const std::string& base : bases) recover_directory(parent + "/" + base);
}

AtomicDirectory::AtomicDirectory(std::string final_path) : final_(without_trailing_slash(std::move(final_path))) {
  recover_directory(final_);
  temporary_ = name_beside(final_, kTemporary);
  with_file_errors(final_, [&] { fs::create_directories(temporary_); });
}

AtomicDirectory::~AtomicDirectory() {
  if (!committed_) remove_quietly(temporary_);
}

void AtomicDirectory::commit() {
  with_file_errors(final_, [&] { sync_tree(temporary_); });
  std::string replaced;
  if (fs::exists(fs::symlink_status(final_)))
    replaced = replace(temporary_, final_);
  else
    rename_or_throw(temporary_, final_);
  committed_ = true;
  sync_path(parent_of(final_));
  if (!replaced.empty()) remove_quietly(replaced);
}

AtomicFile::AtomicFile(std::string final_path)
    : final_(std::move(final_path)),
      temporary_(name_beside(final_, kTemporary)),
      file_(temporary_, O_WRONLY | O_CREAT | O_TRUNC, final_) {}

AtomicFile::~AtomicFile() {
  if (!committed_) remove_quietly(temporary_);
}

void AtomicFile::commit() {
  file_.sync();
  file_.close();
  rename_or_throw(temporary_, final_);
  committed_ = true;
  sync_path(parent_of(final_));
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::string& path) {
  const MappedFile file(path);
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

}  // namespace eyrie
