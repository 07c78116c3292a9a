#include "app/usage.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace eyrie {
namespace {

struct Example {
  std::string_view command, line;
};
constexpr Example kExamples[] = {
    {"tokenize", "echo '{\"text\": \"What is 12 + 30?\"}' | eyrie tokenize --model assets/fledgling"},
    {"data", "eyrie data assets/fledgling/conversations.jsonl --model assets/fledgling \\\n    --show 1"},
    {"capture",
     "head -n 20 assets/fledgling/conversations.jsonl >few.jsonl\n"
     "  eyrie capture --model assets/fledgling --input few.jsonl --output features"},
    {"train",
     "eyrie train --model assets/fledgling --token-budget 256 --steps 20 \\\n"
     "    --data assets/fledgling/conversations.jsonl --dump-steps 0 --output run"},
    {"report", "eyrie report run"},
    {"export", "eyrie export --checkpoint run/checkpoint-000020 --output draft --for sglang"},
    {"replay", "eyrie replay run/dump-000000 --attention fused,dense \\\n    --out gradients.safetensors"},
    {"generate", "eyrie generate --model assets/fledgling --draft draft \\\n    --prompt \"What is 12 + 30?\""},
    {"inspect", "eyrie inspect draft --against assets/fledgling"},
    {"mask", "eyrie mask --documents 300,200,500 --rounds 3 --out mask.svg"},
    {"demo", "eyrie demo --output demo"},
    {"bench", "eyrie bench attention --only fused/d64"},
};

}  // namespace

std::string help_entry(std::string_view name, std::string_view description, size_t indent, size_t width) {
  std::string text = fmt::format("{:<{}}", name, indent);
  const std::string next_line = "\n" + std::string(indent, ' ');
  size_t column = text.size();
  if (name.size() >= indent && !description.empty()) text += next_line, column = indent;
  while (!description.empty()) {
    const size_t end = std::min(description.find(' '), description.size());
    if (column > indent) {
      const bool fits = column + 1 + end <= width;
      text += fits ? " " : next_line;
      column = fits ? column + 1 : indent;
    }
    text += description.substr(0, end);
    column += end;
    description.remove_prefix(std::min(end + 1, description.size()));
  }
  return text.erase(text.find_last_not_of(' ') + 1) + "\n";
}

std::string help_footer(std::string_view command) {
  const auto found =
      std::find_if(std::begin(kExamples), std::end(kExamples), [&](const Example& e) { return e.command == command; });
  return fmt::format("Words (tap, depth, walked, n_k, accept length): docs/training.md\n\nExample:\n  {}",
                     found == std::end(kExamples) ? "" : found->line);
}

}  // namespace eyrie
