// text/jinja/interpreter.h: runs a Program once. Scopes are as jinja compiles them: what a `for`, `with`, macro or
// block sets is gone behind it, what an `if` sets stays.
#pragma once
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "text/jinja/jinja.h"
#include "text/jinja/syntax.h"

namespace eyrie::jinja {

struct Scope {
  const Scope* parent;
  std::vector<std::pair<std::string_view, Value>> variables = {};  // named by the program
  void set(std::string_view name, Value value);
};

class Interpreter {
 public:
  Interpreter(const Program& program, const std::tm& now);
  JinjaOutput run(const Json& variables);

 private:
  enum class Flow { on, break_loop, continue_loop };

  Value find(const std::string& name);
  void assign(const Expression& target, Value value);
  Scope* inner_scope(const Scope* parent);

  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  Flow flow_of(const Statement& statement);
  Flow execute_within(Scope* scope, const Body& body);
  Flow execute_chain(const Statement& chain);
  Flow execute_with(const Statement& statement);
  Flow execute_loop(const Statement& statement);
  Flow execute_generation(const Statement& statement);
  Flow execute_block(const Statement& statement);  // set, filter: what becomes of a body's text
  void write_text(const Value& value);
  Value make_macro(const Statement& statement);
  Value call_macro(const Statement& macro, const Scope* around, Arguments arguments);
  void bind(const Statement& macro, Arguments arguments);

  Value evaluate(const Expression& expression);
  Value value_of(const Expression& expression);
  Value operation_of(const Expression& expression);
  Value conditional_of(const Expression& expression);
  Value container_of(const Expression& expression);
  Value slice_of(const Expression& expression);
  Value builtin_of(const Expression& expression);
  Value call_of(const Expression& expression, const Statement* caller = nullptr);
  Arguments arguments_of(const Expression& expression);

  const Program& program_;
  Context context_;
  std::map<std::string, Value, std::less<>> globals_;
  std::deque<Scope> scopes_;  // kept to the end, as macros look into them
  Scope* scope_ = nullptr;
  TextBuilder output_;
  TextBuilder* sink_ = &output_;
  std::vector<JinjaOutput::Range> generation_;
  bool in_generation_ = false;
  Value block_text_;  // of the block that is filtered
  int line_ = 1;
  int nesting_ = 0;
  int calls_ = 0;
};

}  // namespace eyrie::jinja
