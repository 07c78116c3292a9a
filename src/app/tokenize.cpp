#include <cstdio>
#include <iostream>

#include "app/commands.h"
#include "base/error.h"
#include "data/conversations.h"
#include "text/tokenizer.h"

namespace eyrie {

void run_tokenize(const TokenizeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::from_directory(options.model);
  for_each_json_line(std::cin, "standard input", [&](const Json& line) {
    const auto ids = tokenizer.encode(line.text("text"), true);
    Json out = Json::object();
    out.set("ids", Json(Json::Array(ids.begin(), ids.end())));
    out.set("text", tokenizer.decode(ids, false));
    std::cout << out.dump() << '\n';
  });
  if (std::ferror(stdin)) throw Error(ErrorKind::file, "standard input", "cannot be read to its end");
}

}  // namespace eyrie
