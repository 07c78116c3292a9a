// text/jinja/interpreter.h: runs a Program once. Scopes are as jinja compiles them: what a `for`, `with`, macro or
// block sets is gone behind it, what an `if` sets stays.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "text/jinja/jinja.h"
#include "text/jinja/syntax.h"

namespace eyrie::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<Symbol, Value>> variables = {};
  void set(Symbol symbol, Value value);
};

class Interpreter {
 public:
  Interpreter(const Program& program, const std::tm& now);
  ~Interpreter();
  JinjaOutput run(const Json& variables);

 private:
  friend class Loop;
  friend class Macro;
  enum class Flow { on, break_loop, continue_loop };
  using ScopePointer = std::shared_ptr<Scope>;

  void set_globals(const Json& variables);
  const Value* find(Symbol symbol) const;
  void assign(const Expression& target, Value value);
  Value called(const std::function<void()>& body);  // what a macro or recursive loop writes

  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  Flow execute_within(ScopePointer scope, const Body& body);
  Flow execute_chain(const Statement& chain);
  Flow execute_with(const Statement& statement);
  Flow execute_loop(const Statement& statement, const Value& items, int64_t depth);
  void execute_generation(const Statement& statement);
  Flow execute_block(const Statement& statement);  // set, filter: what becomes of a body's text
  void execute_call(const Statement& statement);
  void write_text(const Value& value);
  Value make_macro(const Statement& statement);

  Value evaluate(const Expression& expression);
  Value value_of(const Expression& expression);
  Value arithmetic_of(const Expression& expression);
  bool comparison_of(const Expression& expression);
  Value concatenation_of(const Expression& expression);
  Value logical_of(const Expression& expression, bool decisive);
  Value conditional_of(const Expression& expression);
  Value container_of(const Expression& expression);
  Value slice_of(const Expression& expression);
  Value builtin_of(const Expression& expression);
  Value call_of(const Expression& expression, const Value* caller = nullptr);
  Value call(const Value& callee, Arguments arguments);
  Arguments arguments_of(const Expression& expression);

  const Program& program_;
  Context context_;
  std::vector<std::optional<Value>> globals_;  // by symbol
  ScopePointer scope_ = std::make_shared<Scope>();
  std::vector<ScopePointer> kept_;                  // by macros, which they hold: cleared at the end
  std::vector<std::shared_ptr<Namespace>> spaces_;  // may hold each other: cleared at the end
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
