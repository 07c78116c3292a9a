// text/jinja/jinja.h: the Jinja that chat templates are written in, rendered as transformers' apply_chat_template does:
// trim_blocks, lstrip_blocks, no trailing newline kept, loop controls, an immutable sandbox. docs/data.md, "Templates",
// lists what is known.
//
// Values are Json's, with what Python adds: undefined, functions, namespaces, tuples as arrays. Strings are UTF-8 and
// are indexed, sliced and measured by code point; written out, values are Python's str(). Nothing that a template is
// given can be changed by it. A JinjaTemplate is an immutable value, cheap to copy, safe to share between threads.
//
// What is not known is refused by its name when the template is read, even where it would never run. Where the same
// words mean something else than in jinja2: whole numbers have 64 bits (beyond them is an error); filters, views and
// ranges give lists, so that they may be read twice, are empty when they hold nothing, and are written as lists; safe
// changes nothing, as nothing is escaped; letters change case one by one, without a final sigma; indent knows lines
// that end in a newline alone; a block reads a variable that is set only behind it as it was before; a macro takes a
// caller that it does not call.
#pragma once
#include <cstddef>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace eyrie {

struct JinjaOutput {
  struct Range {
    size_t begin, end;  // bytes of `text`
  };
  std::string text;
  // What stood inside {% generation %} blocks, in order: the outermost ones, without empty ones. A block within text
  // that is captured (by set, filter, call or a macro) leaves no range: such text may be written anywhere, or not at
  // all.
  std::vector<Range> generation;
};

class JinjaTemplate {
 public:
  // Error{file} at "place:line" of the template: a construct, filter, test or method that is not known, or malformed
  // syntax; what was expected and found.
  static JinjaTemplate parse(std::string_view source, const std::string& place);

  // `variables`: a JSON object, the template's globals beside its functions (range, namespace, dict, raise_exception,
  // strftime_now, which tells `now`). Errors: Error{input} at "place:line": what the template itself raises
  // (raise_exception), an undefined value that is used, a type that does not fit, an attempt to change a value, or more
  // steps, depth or output than a chat needs (text/jinja/work.h).
  JinjaOutput render(const Json& variables, const std::tm& now) const;

  // Whether the template names this variable, attribute or constant string anywhere in its expressions: what it never
  // mentions it cannot look up.
  bool mentions(std::string_view name) const;

 private:
  struct Program;
  explicit JinjaTemplate(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace eyrie
