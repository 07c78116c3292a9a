// speculative/stop_text.h: finds stop strings in text that arrives in pieces, and holds back the bytes that may still
// become one. The outcome does not depend on how the text is cut: the first stop string to be complete ends it (of two
// complete at the same byte, the longer).
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

class StopText {
 public:
  // Error{usage} when a stop string is empty.
  explicit StopText(std::vector<std::string> stops);

  // The bytes that no later piece can make part of a stop string. Nothing more comes once found().
  std::string push(std::string_view piece);
  std::string finish();  // what was held back, when the text ends without a stop string
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;  // the longest first
  std::string held_;                // the longest end of the text that begins a stop string
  bool found_ = false;
};

}  // namespace eyrie
