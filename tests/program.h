// tests/program.h: the built program as a child process, and the files it is given.
#pragma once
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "testing/temporary_directory.h"

namespace eyrie::e2e {

using Arguments = std::vector<std::string>;

struct Setting {
  std::string input = {};                          // of standard input
  std::optional<int64_t> file_limit_bytes = {};    // RLIMIT_FSIZE
  std::optional<int64_t> memory_limit_bytes = {};  // RLIMIT_AS
  int threads = 1;                                 // of OpenMP
  std::string standard_input = {};                 // a path to read from, instead of `input`
  std::string standard_output = {};                // a path to write to, instead of the outcome's text
  std::string working_directory = {};              // empty: this one's
  std::vector<std::pair<std::string, std::string>> environment = {};
};

struct Outcome {
  int status = 0;  // exit code; 128 + the signal that ended it
  std::string out, error;
  std::string last_error_line() const;
};

// A program that runs. Its destructor kills it.
class Running {
 public:
  explicit Running(const Arguments& arguments, const Setting& setting = {});
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void signal(int number) const;
  bool ended();
  std::string error_so_far() const { return testing::read_bytes(directory_.file("error")); }
  // Waits until `seen` holds; false when the program ended or a minute passed before.
  bool wait_until(const std::function<bool()>& seen);
  Outcome wait();  // a program that takes longer than two minutes is killed

 private:
  testing::TemporaryDirectory directory_;
  pid_t process_ = 0;
  std::optional<int> wait_status_;
};

Outcome eyrie(const Arguments& arguments, const Setting& setting = {});

Arguments operator+(Arguments left, const Arguments& right);

// "" when the program failed as it should: this status, nothing on standard output, and as the last thing on standard
// error one line "eyrie: …" that holds `message`, the only one that begins so.
std::string unlike_failure(const Outcome& outcome, int status, const std::string& message);

inline const std::string kFledgling = EYRIE_SOURCE_DIR "/assets/fledgling";
std::string asset(const std::string& name);        // a file of it
std::string vector_file(const std::string& name);  // tests/data/name

std::vector<Json> json_lines(const std::string& text);
std::string first_lines(const std::string& path, int count);
std::vector<std::string> names_in(const std::string& directory);  // sorted

}  // namespace eyrie::e2e
