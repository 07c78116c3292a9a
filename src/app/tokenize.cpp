#include <iostream>

#include "app/commands.h"
#include "base/error.h"
#include "io/json.h"
#include "text/tokenizer.h"

namespace eyrie {

void run_tokenize(const TokenizeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::from_directory(options.model);
  std::string text;
  for (int64_t line = 1; std::getline(std::cin, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json object = Json::parse(text, "standard input", line);
    try {
      const auto ids = tokenizer.encode(object.text("text"), true);
      Json out = Json::object();
      out.set("ids", Json(Json::Array(ids.begin(), ids.end())));
      out.set("text", tokenizer.decode(ids, false));
      std::cout << out.dump() << '\n';
    } catch (const Error& error) {
      throw Error(ErrorKind::file, place_of_line("standard input", line), error.what());
    }
  }
}

}  // namespace eyrie
