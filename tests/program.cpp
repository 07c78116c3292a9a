#include "program.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

namespace eyrie::e2e {
namespace {

using testing::read_bytes;
using namespace std::chrono_literals;

void redirect(const std::string& path, int flags, int descriptor) {
  const int file = open(path.c_str(), flags, 0666);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(99);
  close(file);
}

void set_limit(__rlimit_resource resource, int64_t value) {
  const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(resource, &limit);
}

[[noreturn]] void become_program(const Arguments& arguments, const Setting& setting, const std::string& directory) {
  redirect(setting.standard_input.empty() ? directory + "/in" : setting.standard_input, O_RDONLY, STDIN_FILENO);
  const std::string out = setting.standard_output.empty() ? directory + "/out" : setting.standard_output;
  redirect(out, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
  redirect(directory + "/error", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
  if (setting.file_limit_bytes) set_limit(RLIMIT_FSIZE, *setting.file_limit_bytes);
  if (setting.memory_limit_bytes) set_limit(RLIMIT_AS, *setting.memory_limit_bytes);
  if (!setting.working_directory.empty() && chdir(setting.working_directory.c_str()) != 0) _exit(99);
  ::signal(SIGPIPE, SIG_DFL);  // whatever this process was started with
  setenv("OMP_NUM_THREADS", std::to_string(setting.threads).c_str(), 1);
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
  for (const auto& [name, value] : setting.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> pointers{const_cast<char*>("eyrie")};
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  execv(EYRIE_PROGRAM, pointers.data());
  _exit(98);
}

int code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace

std::string Outcome::last_error_line() const {
  std::string line, last;
  for (std::istringstream lines(error); std::getline(lines, line);) last = line;
  return last;
}

Running::Running(const Arguments& arguments, const Setting& setting) {
  testing::write_bytes(directory_.file("in"), setting.input);
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ == 0) become_program(arguments, setting, directory_.path());
}

Running::~Running() {
  if (ended()) return;
  signal(SIGKILL);
  wait();
}

void Running::signal(int number) const { kill(process_, number); }

bool Running::ended() {
  int status = 0;
  if (!wait_status_ && waitpid(process_, &status, WNOHANG) == process_) wait_status_ = status;
  return wait_status_.has_value();
}

bool Running::wait_until(const std::function<bool()>& seen) {
  for (const auto start = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - start < 60s;) {
    if (seen()) return true;
    if (ended()) return false;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

Outcome Running::wait() {
  for (const auto start = std::chrono::steady_clock::now(); !ended();) {
    if (std::chrono::steady_clock::now() - start > 120s) signal(SIGKILL);
    std::this_thread::sleep_for(1ms);
  }
  return {code_of(*wait_status_), read_bytes(directory_.file("out")), read_bytes(directory_.file("error"))};
}

Outcome eyrie(const Arguments& arguments, const Setting& setting) { return Running(arguments, setting).wait(); }

Arguments operator+(Arguments left, const Arguments& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

std::string unlike_failure(const Outcome& outcome, int status, const std::string& message) {
  const std::string line = outcome.last_error_line();
  std::string problem;
  if (outcome.status != status) problem += fmt::format("status {} instead of {}; ", outcome.status, status);
  if (!line.starts_with("eyrie: ") || !outcome.error.ends_with("\n")) problem += "the last line is no error; ";
  if (line.find(message) == std::string::npos) problem += fmt::format("no \"{}\" in the error; ", message);
  const size_t first = outcome.error.find("eyrie: ");
  if (first + line.size() + 1 != outcome.error.size()) problem += "more than one error; ";
  if (!outcome.out.empty()) problem += fmt::format("standard output holds \"{}\"; ", outcome.out);
  return problem.empty() ? "" : problem + "standard error:\n" + outcome.error;
}

std::string asset(const std::string& name) { return kFledgling + "/" + name; }
std::string vector_file(const std::string& name) { return EYRIE_SOURCE_DIR "/tests/data/" + name; }

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::string line;
  for (std::istringstream stream(text); std::getline(stream, line);)
    lines.push_back(Json::parse(line, "line", static_cast<int64_t>(lines.size()) + 1));
  return lines;
}

std::string first_lines(const std::string& path, int count) {
  std::ifstream file(path);
  std::string text, line;
  for (int i = 0; i < count && std::getline(file, line); ++i) text += line + "\n";
  return text;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(directory, absent))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace eyrie::e2e
