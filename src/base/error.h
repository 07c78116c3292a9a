// base/error.h: the one exception of Eyrie. The CLI maps its kind to an exit code, a server to a status.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

#include "base/shown_text.h"

namespace eyrie {

enum class ErrorKind {
  usage,        // the command line or a config file asks for what does not exist
  input,        // a value, shape or dtype that the callee does not take
  file,         // a file that is missing, truncated, malformed or cannot be written
  device,       // an accelerator failed
  interrupted,  // the user asked to stop
  internal,     // a promise of ours was broken
};

// `place` says where (file, file:line, flag, tensor name); `message` what was expected and what was found, built from
// values.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string place, const std::string& message)
      : std::runtime_error(shown_text(place.empty() ? message : place + ": " + message)),
        kind_(kind),
        place_(std::move(place)) {}
  ErrorKind kind() const { return kind_; }
  const std::string& place() const { return place_; }

 private:
  ErrorKind kind_;
  std::string place_;
};

// Runs `work`; an error of a value or a file that does not say where gets `place` in front.
template <typename Work>
decltype(auto) at_place(const std::string& place, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string what = error.what();
    const bool of_place = error.kind() == ErrorKind::input || error.kind() == ErrorKind::file;
    if (!of_place || what.starts_with(shown_text(place))) throw;
    throw Error(ErrorKind::file, place, what);
  }
}

}  // namespace eyrie
