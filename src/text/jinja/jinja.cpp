#include "text/jinja/jinja.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/syntax.h"

namespace eyrie {

struct JinjaTemplate::Program : jinja::Program {};

JinjaTemplate JinjaTemplate::parse(std::string_view source, const std::string& place) {
  auto program = std::make_shared<Program>();
  jinja::parse_program(*program, source, place);
  return JinjaTemplate(std::move(program));
}

JinjaOutput JinjaTemplate::render(const Json& variables, const std::tm& now) const {
  return jinja::Interpreter(*program_, now).run(variables);
}

bool JinjaTemplate::mentions(std::string_view name) const { return program_->mentioned.count(name) > 0; }

}  // namespace eyrie
