#include "text/jinja/interpreter.h"

#include <fmt/core.h>

#include "base/error.h"

namespace eyrie::jinja {
namespace {

// `loop`. Items are filtered when they are asked for, as jinja's: the condition may read what the body wrote.
class Loop : public Object {
 public:
  Loop(Values items, std::function<bool(const Value&)> passes) : items_(std::move(items)), passes_(std::move(passes)) {}

  // Goes to the next item; null behind the last.
  const Value* next() { return at(++index_); }

  std::optional<Value> attribute(Context& context, std::string_view name) override {
    if (name == "index") return int64_t{index_ + 1};
    if (name == "index0") return int64_t{index_};
    if (name == "first") return index_ == 0;
    if (name == "last") return !at(index_ + 1);
    if (name == "length") return length();
    if (name == "revindex") return length() - index_;
    if (name == "revindex0") return length() - index_ - 1;
    if (name == "previtem" || name == "nextitem") {
      const Value* item = at(name == "previtem" ? index_ - 1 : index_ + 1);
      return item ? *item : Value::undefined("there is no such item");
    }
    if (name == "cycle") return make_function(context, [this](Context&, Arguments given) { return cycle(given); });
    return std::nullopt;
  }

 private:
  const Value* at(int64_t place) {
    while (std::ssize(passed_) <= place && asked_ < items_.size()) {
      const Value& item = items_[asked_++];
      if (!passes_ || passes_(item)) passed_.push_back(item);
    }
    return place >= 0 && place < std::ssize(passed_) ? &passed_[static_cast<size_t>(place)] : nullptr;
  }

  int64_t length() { return at(INT64_MAX), std::ssize(passed_); }

  Value cycle(const Arguments& given) const {
    if (given.positional.empty()) fail("loop.cycle() without items");
    return given.positional[static_cast<size_t>(index_) % given.positional.size()];
  }

  const Values items_;
  const std::function<bool(const Value&)> passes_;  // none: every item
  size_t asked_ = 0;
  Values passed_;
  int64_t index_ = -1;
};

}  // namespace

void Scope::set(std::string_view name, Value value) {
  for (auto& [found, old] : variables)
    if (found == name) return void(old = std::move(value));
  variables.emplace_back(name, std::move(value));
}

Interpreter::Interpreter(const Program& program, const std::tm& now)
    : program_(program), context_(now), output_(context_) {}

JinjaOutput Interpreter::run(const Json& variables) {
  try {
    for (const auto& [name, value] : variables.as_members())
      if (program_.mentioned.count(name) > 0) globals_.emplace(name, Value::from_json(context_, value));
    execute_within(inner_scope(nullptr), program_.body);
  } catch (const Error& error) {
    throw Error(error.kind(), place_of_line(program_.place, line_), error.what());
  }
  return {output_.take(), std::move(generation_)};
}

Value Interpreter::find(const std::string& name) {
  for (const Scope* scope = scope_; scope; scope = scope->parent)
    for (const auto& [found, value] : scope->variables)
      if (found == name) return value;
  if (const auto global = globals_.find(name); global != globals_.end()) return global->second;
  const Builtin* function = find_function(name);
  if (!function) return Value::undefined(fmt::format("'{}' is undefined", name));
  return make_function(context_, [function](Context& context, Arguments arguments) {
    return call_builtin(context, *function, {}, std::move(arguments));
  });
}

void Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == Expression::Kind::variable) return scope_->set(target.name, std::move(value));
  if (target.kind == Expression::Kind::attribute) {
    const Value owner = evaluate(*target.parts[0]);
    auto* space = dynamic_cast<Namespace*>(owner.object());
    if (!space) fail(fmt::format("cannot set an attribute of '{}', which is no namespace", target.parts[0]->name));
    return space->set(target.name, std::move(value));
  }
  const Values items = items_of(context_, value);
  if (items.size() != target.parts.size())
    fail(fmt::format("expected {} values to unpack, found {}", target.parts.size(), items.size()));
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i]);
}

// Scopes cost memory until the end, so that they cost steps.
Scope* Interpreter::inner_scope(const Scope* parent) {
  context_.spend(2);
  return &scopes_.emplace_back(Scope{parent});
}

// Of a block that jinja takes for a text without asking.
void Interpreter::write_text(const Value& value) {
  if (!value.is_text()) fail(fmt::format("a block gives a string, found '{}'", value.type_name()));
  *sink_ << value.text();
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Statement* statement : body) {
    const Flow flow = execute(*statement);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

// Errors end the rendering: scope, sink and counts are put back only where it goes on.
Interpreter::Flow Interpreter::execute_within(Scope* scope, const Body& body) {
  Scope* outer = std::exchange(scope_, scope);
  const Flow flow = execute(body);
  scope_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  context_.spend();
  const int outer = std::exchange(line_, statement.line);
  if (++nesting_ > kMostNesting) fail(fmt::format("nested deeper than {} when rendered", kMostNesting));
  const Flow flow = flow_of(statement);
  --nesting_;
  line_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::flow_of(const Statement& statement) {
  using Kind = Statement::Kind;
  switch (statement.kind) {
    case Kind::data:
      *sink_ << statement.text;
      return Flow::on;
    case Kind::output:
      write(context_, *sink_, evaluate(*statement.expressions[0]));
      return Flow::on;
    case Kind::for_loop:
      return execute_loop(statement);
    case Kind::if_chain:
      return execute_chain(statement);
    case Kind::assign:
      assign(*statement.targets[0], evaluate(*statement.expressions[0]));
      return Flow::on;
    case Kind::set_block:
    case Kind::filter_block:
      return execute_block(statement);
    case Kind::macro:
      assign(*statement.targets[0], make_macro(statement));
      return Flow::on;
    case Kind::call_block:
      write_text(call_of(*statement.expressions[0], &statement));
      return Flow::on;
    case Kind::with:
      return execute_with(statement);
    case Kind::generation:
      return execute_generation(statement);
    case Kind::break_loop:
      return Flow::break_loop;
    case Kind::continue_loop:
      return Flow::continue_loop;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::execute_chain(const Statement& chain) {
  for (size_t i = 0; i < chain.expressions.size(); ++i)
    if (evaluate(*chain.expressions[i]).truth()) return execute(chain.bodies[i]);
  return chain.bodies.size() > chain.expressions.size() ? execute(chain.bodies.back()) : Flow::on;
}

Interpreter::Flow Interpreter::execute_loop(const Statement& statement) {
  const Expression* condition = statement.expressions[1];
  Scope* outer = scope_;
  const auto passes = [this, &statement, condition, outer](const Value& item) {
    Scope* inner = std::exchange(scope_, inner_scope(outer));
    assign(*statement.targets[0], item);
    const bool passed = evaluate(*condition).truth();
    scope_ = inner;
    return passed;
  };
  const Value items = evaluate(*statement.expressions[0]);
  auto* loop =
      context_.make<Loop>(items_of(context_, items), condition ? std::function<bool(const Value&)>(passes) : nullptr);
  bool ran = false;  // to the end of the body once: `continue` and `break` do not count, as in jinja
  Flow flow = Flow::on;
  for (const Value* item = loop->next(); item; item = loop->next()) {
    scope_ = inner_scope(outer);
    scope_->set("loop", loop);
    assign(*statement.targets[0], *item);
    flow = execute(statement.bodies[0]);
    scope_ = outer;
    ran = ran || flow == Flow::on;
    if (flow == Flow::break_loop) break;
  }
  if (ran || statement.bodies.size() == 1) return Flow::on;
  return execute_within(inner_scope(outer), statement.bodies[1]);
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  Values values;  // which see what is around, not their neighbours
  for (const Expression* expression : statement.expressions) values.push_back(evaluate(*expression));
  Scope* outer = std::exchange(scope_, inner_scope(scope_));
  for (size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
  const Flow flow = execute(statement.bodies[0]);
  scope_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::execute_block(const Statement& statement) {
  TextBuilder text(context_);
  TextBuilder* outer = std::exchange(sink_, &text);
  const Flow flow = execute_within(inner_scope(scope_), statement.bodies[0]);
  sink_ = outer;
  if (flow != Flow::on) return flow;
  Value value(text.take());
  if (const Expression* filter = statement.expressions[0]) {
    const Value outer_text = std::exchange(block_text_, std::move(value));
    value = evaluate(*filter);
    block_text_ = outer_text;
  }
  if (statement.kind == Statement::Kind::filter_block)
    write_text(value);
  else
    assign(*statement.targets[0], std::move(value));
  return Flow::on;
}

// A range tells bytes of the output. Text that is captured is anywhere or nowhere in it: the output has not grown.
Interpreter::Flow Interpreter::execute_generation(const Statement& statement) {
  const bool outermost = !std::exchange(in_generation_, true);
  const size_t begin = output_.text().size();
  execute_within(inner_scope(scope_), statement.bodies[0]);
  in_generation_ = !outermost;
  if (outermost && output_.text().size() > begin) generation_.push_back({begin, output_.text().size()});
  return Flow::on;
}

Value Interpreter::make_macro(const Statement& statement) {
  return make_function(context_, [this, &statement, around = scope_](Context&, Arguments arguments) {
    return call_macro(statement, around, std::move(arguments));
  });
}

Value Interpreter::call_macro(const Statement& macro, const Scope* around, Arguments arguments) {
  if (++calls_ > kMostDepth) fail(fmt::format("calls nested deeper than {}", kMostDepth));
  TextBuilder text(context_);
  TextBuilder* outer_sink = std::exchange(sink_, &text);
  Scope* outer = std::exchange(scope_, inner_scope(around));
  bind(macro, std::move(arguments));
  execute(macro.bodies[0]);
  scope_ = outer;
  sink_ = outer_sink;
  --calls_;
  return text.take();
}

// The parameters of a macro, in the scope of its call.
void Interpreter::bind(const Statement& macro, Arguments arguments) {
  Values& given = arguments.positional;
  auto& named = arguments.named;
  const auto take = [&](std::string_view name) -> std::optional<Value> {
    const auto found = std::find_if(named.begin(), named.end(), [&](auto& one) { return one.first == name; });
    if (found == named.end()) return std::nullopt;
    Value value = std::move(found->second);
    named.erase(found);
    return value;
  };
  const size_t taken = std::min(given.size(), macro.parameters.size());
  std::vector<const Parameter*> missing;
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const std::optional<Value> value = i < taken ? given[i] : take(parameter.name);
    if (!value && parameter.otherwise) missing.push_back(&parameter);
    const std::string why = fmt::format("parameter '{}' was not provided", parameter.name);
    scope_->set(parameter.name, value ? *value : Value::undefined(why));
  }
  // One after the other: a default sees the parameters before it.
  for (const Parameter* parameter : missing) scope_->set(parameter->name, evaluate(*parameter->otherwise));
  const std::optional<Value> caller = take("caller");
  scope_->set("caller", caller ? *caller : Value::undefined("No caller defined"));
  if (!named.empty()) fail(fmt::format("macro '{}' takes no keyword argument '{}'", macro.text, named[0].first));
  if (given.size() > taken) fail(fmt::format("macro '{}' takes not more than {} arguments", macro.text, taken));
}

}  // namespace eyrie::jinja

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
