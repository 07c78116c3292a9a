#include "io/staging.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/shown_text.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMark = "/.eyrie-writer", kReplaced = "/old";

std::string in(const std::string& staging, std::string_view name) { return staging + std::string(name); }

std::string parent_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

void rename_or_throw(const std::string& from, const std::string& to, std::string_view problem) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw system_error(to, problem);
}

// Only what a writer puts there: the directory itself goes when nothing else is in it. The mark goes last, so that what
// is half removed is still known.
void remove_staging(const std::string& staging) {
  std::error_code ignored;
  for (const std::string_view name : {kStagingFresh, kReplaced}) fs::remove_all(in(staging, name), ignored);
  ::unlink(in(staging, kMark).c_str());
  ::rmdir(staging.c_str());
}

// The mark of a writer that is gone, locked; null where there is no such mark.
std::unique_ptr<Descriptor> mark_of_dead_writer(const std::string& staging) {
  try {
    auto mark = std::make_unique<Descriptor>(in(staging, kMark), O_RDWR | O_NOFOLLOW);
    return flock(mark->number(), LOCK_EX | LOCK_NB) == 0 ? std::move(mark) : nullptr;
  } catch (const Error&) {
    return nullptr;
  }
}

// `only`: the final name whose leftovers go; empty: any.
void recover_in(const std::string& parent, const std::string& only) {
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, absent)) {
    const std::string name = entry.path().filename();
    const size_t end = name.size() - std::min(name.size(), kStagingInfix.size() + kStagingUnique.size());
    if (end == 0 || name.compare(end, kStagingInfix.size(), kStagingInfix) != 0) continue;
    if (!only.empty() && name.compare(0, end, only) != 0) continue;
    ::rmdir(entry.path().c_str());  // an empty one: its writer died before the mark, or behind it
    const auto locked = mark_of_dead_writer(entry.path());
    if (!locked) continue;
    const std::string replaced = in(entry.path(), kReplaced), destination = parent + "/" + name.substr(0, end);
    if (fs::exists(fs::symlink_status(replaced)) && !fs::exists(fs::symlink_status(destination)))
      rename_or_throw(replaced, destination, "cannot get its name back");
    remove_staging(entry.path());
  }
}

}  // namespace

std::string followed(const std::string& path) {
  constexpr int kMostLinks = 40;  // as many as the kernel follows
  std::string end = path;
  while (end.size() > 1 && end.back() == '/') end.pop_back();
  std::error_code absent;
  for (int links = 0; fs::is_symlink(end, absent); ++links) {
    struct statfs system {};
    // A link in /proc stands for an open file, and its text need not be a path.
    if (::statfs(parent_of(end).c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC) break;
    if (links == kMostLinks) throw Error(ErrorKind::file, path, "cannot be followed: too many symlinks");
    end = fs::path(end).parent_path() / fs::read_symlink(end);
  }
  return end;
}

Staging::Staging(const std::string& final_path) : destination_(followed(final_path)) {
  do {
    path_ = destination_ + std::string(kStagingInfix) + std::string(kStagingUnique);
    if (!mkdtemp(path_.data())) throw system_error(final_path, "cannot be written");
  } while (!mark(final_path));
  fresh_ = in(path_, kStagingFresh);
}

// False when somebody took the place for a dead writer's before the mark was there and locked.
bool Staging::mark(const std::string& shown) {
  const std::string path = in(path_, kMark);
  try {
    mark_.emplace(path, O_RDWR | O_CREAT | O_EXCL, shown);
  } catch (const Error&) {
    if (::rmdir(path_.c_str()) != 0 && errno == ENOENT) return false;
    throw;
  }
  flock(mark_->number(), LOCK_EX);  // a file system without locks keeps every leftover
  return fs::exists(path);
}

Staging::~Staging() { remove_staging(path_); }

void Staging::put_in_place() const {
  constexpr std::string_view kProblem = "cannot be put in place";
  if (!fs::is_directory(fresh_) || !fs::is_directory(destination_))
    rename_or_throw(fresh_, destination_, kProblem);
  else if (renameat2(AT_FDCWD, fresh_.c_str(), AT_FDCWD, destination_.c_str(), RENAME_EXCHANGE) != 0)
    replace_in_two_steps();
  sync_path(parent_of(destination_));
}

void Staging::replace_in_two_steps() const {
  if (errno != EINVAL && errno != ENOSYS) throw system_error(destination_, "cannot be replaced");
  mark_->sync();  // a mark that is lost with the power could not give the old directory its name back
  sync_path(path_);
  const std::string replaced = in(path_, kReplaced);
  rename_or_throw(destination_, replaced, "cannot be replaced");
  if (::rename(fresh_.c_str(), destination_.c_str()) == 0) return;
  const Error error = system_error(destination_, "cannot be replaced");
  rename_or_throw(replaced, destination_, "cannot get its name back");
  throw error;
}

void recover(const std::string& final_path) {
  const std::string path = followed(final_path);
  recover_in(parent_of(path), fs::path(path).filename());
}

void recover_all(const std::string& parent) { recover_in(parent, ""); }

}  // namespace eyrie
