// text/jinja/callables.h: the objects that run parts of the template: loops and macros.
#pragma once
#include <memory>
#include <optional>
#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/object.h"

namespace eyrie::jinja {

// `loop`. Items are filtered when they are asked for, as jinja's: the condition may read what the body wrote.
class Loop : public Object, public std::enable_shared_from_this<Loop> {
 public:
  Loop(Interpreter& interpreter, const Statement& statement, Values items, int64_t depth);
  bool next();  // false: no item is left
  const Value& current() const { return *current_; }

  std::optional<Value> attribute(Context& context, std::string_view name) override;
  Value call(Context& context, Arguments arguments) override;
  int depth() const override { return value_depth_; }

 private:
  std::optional<Value> pull();
  const std::optional<Value>& peek();
  int64_t length();
  Value cycle(Arguments arguments) const;
  bool changed(Context& context, Values values);

  Interpreter& interpreter_;
  const Statement& statement_;
  std::shared_ptr<Scope> scope_;  // around the loop
  Values items_;
  size_t position_ = 0;  // behind what was pulled
  int64_t index_ = -1;
  int64_t depth_;
  int value_depth_ = 0;
  std::optional<int64_t> length_;
  std::optional<Value> before_, current_, after_;
  std::optional<Values> last_changed_;
};

class Macro : public Object {
 public:
  Macro(Interpreter& interpreter, const Statement& statement, std::shared_ptr<Scope> scope)
      : interpreter_(interpreter), statement_(statement), scope_(std::move(scope)) {}
  std::optional<Value> attribute(Context& context, std::string_view name) override;
  Value call(Context& context, Arguments arguments) override;

 private:
  void bind(Scope& scope, Arguments arguments);

  Interpreter& interpreter_;
  const Statement& statement_;
  std::shared_ptr<Scope> scope_;  // where it was defined
};

}  // namespace eyrie::jinja
