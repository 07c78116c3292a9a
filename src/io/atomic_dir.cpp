#include "io/atomic_dir.h"

#include <fcntl.h>

#include <filesystem>

#include "io/mapped_file.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

void sync_tree(const std::string& directory) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    if (!entry.is_symlink()) sync_path(entry.path());
  sync_path(directory);
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

AtomicDirectory::AtomicDirectory(const std::string& final_path) {
  recover(final_path);
  with_file_errors(final_path, [&] {
    fs::create_directories(fs::absolute(followed(final_path)).parent_path());
    staging_.emplace(final_path);
    fs::create_directory(staging_->fresh());
  });
}

void AtomicDirectory::commit() {
  with_file_errors(staging_->destination(), [&] { sync_tree(staging_->fresh()); });
  staging_->put_in_place();
  staging_.reset();
}

bool is_stream(const std::string& path) {
  std::error_code absent;
  return fs::is_other(fs::status(path, absent)) || fs::is_symlink(followed(path), absent);
}

// What was opened for somebody else is added to, never cut: `> file` and `>> file` both mean what they say.
AtomicFile::AtomicFile(const std::string& final_path)
    : staging_(is_stream(final_path) ? std::optional<Staging>() : std::optional<Staging>(std::in_place, final_path)),
      file_(staging_ ? staging_->fresh() : final_path, O_WRONLY | (staging_ ? O_CREAT | O_EXCL : O_APPEND),
            final_path) {}

void AtomicFile::commit() {
  if (staging_) file_.sync();
  file_.close();
  if (staging_) staging_->put_in_place();
  staging_.reset();
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
